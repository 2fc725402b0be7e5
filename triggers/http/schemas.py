"""What the interface answers, as models: OpenAPI describes these, and answers are built from them."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from core.json import JsonObject
from core.states import JobStatus, StageStatus, TaskStatus

T = TypeVar("T")


class Answer(BaseModel):
    """Base of what is answered: built from records by their attributes."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Whole(Answer):
    """Base of lists that are answered whole, up to their limit."""

    next: None = Field(default=None, description="Always null: such a list has one page.")


class Page(Answer, Generic[T]):
    """One page of a list."""

    items: list[T]
    next: str | None = Field(default=None, description="Address of the next page; null on the last one.")


class Links(Answer):
    """Where a job can be asked about and acted on."""

    self: str
    tasks: str
    events: str
    why: str
    cancel: str = Field(description="POST here to cancel the job.")
    resubmit: str = Field(description="POST here to run an ended job again.")


class Failure(Answer):
    """Why a job or a task ended early, or what its last attempt met."""

    code: str
    message: str
    remedy: str
    retryable: bool
    task_id: str | None = None
    details: JsonObject = {}


class Submitted(Answer):
    """The answer to a submission."""

    job_id: str
    job_type: str
    status: JobStatus
    revision: int
    created: bool = Field(description="False: the same job was there already.")
    links: Links


class RefusedJob(Answer):
    """A job that was selected and not resubmitted."""

    job_id: str
    code: str
    detail: str


class Resubmitted(Answer):
    """The answer to a resubmission of many."""

    items: list[Submitted]
    refused: list[RefusedJob]


class Counts(Answer):
    """A stage's ledger: total is the sum of the others."""

    total: int
    queued: int
    processing: int
    completed: int
    failed: int
    cancelled: int


class StageOfJob(Answer):
    """A stage of a job's present revision."""

    number: int
    name: str
    task_type: str
    parallelism: str
    status: StageStatus
    started_at: datetime | None
    completed_at: datetime | None
    tasks: Counts


class JobInList(Answer):
    """A job, without its stages."""

    job_id: str
    job_type: str
    status: JobStatus
    revision: int
    priority: int
    stopping: bool = Field(description="Whether it is on its way to an early end.")
    cleanup: Literal["none", "pending", "done", "failed"]
    stage: int
    total_stages: int
    progress: float = Field(description="0 to 1; 1 only when completed.")
    message: str | None
    parameters: JsonObject
    result: Any = None
    error: Failure | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    unpublished_at: datetime | None
    superseded_by: str | None
    requested_by: str
    links: Links


class Job(JobInList):
    """A job at its present revision."""

    stages: list[StageOfJob]


class Task(Answer):
    """A task of a job's present revision."""

    task_id: str
    job_id: str
    revision: int
    stage: int
    kind: str
    task_type: str
    key: str
    lane: str
    status: TaskStatus
    attempt: int
    max_attempts: int
    worker: str | None
    progress: float | None
    message: str | None
    parameters: JsonObject | None = Field(default=None, description="Only with `?include=parameters`.")
    result: Any = Field(default=None, description="Only with `?include=result`.")
    error: Failure | None
    created_at: datetime
    run_after: datetime
    started_at: datetime | None
    last_heartbeat_at: datetime | None
    completed_at: datetime | None

    @model_serializer(mode="wrap")
    def _without_what_was_not_asked_for(self, handler: SerializerFunctionWrapHandler) -> JsonObject:
        shown: JsonObject = handler(self)
        return {
            name: value
            for name, value in shown.items()
            if name not in ("parameters", "result") or name in self.model_fields_set
        }


class Event(Answer):
    """A transition of a job or a stage, or the end of a claim on a task."""

    event_id: int
    at: datetime
    revision: int
    subject: str
    event: str
    stage: int | None
    task_id: str | None
    actor: str | None
    reason: str | None
    worker: str | None
    started_at: datetime | None
    error: Failure | None


class Explanation(Answer):
    """What a job waits for, or why it ended, and what to do."""

    job_id: str
    status: JobStatus
    code: str
    sentence: str


class StageDeclared(Answer):
    """A stage as its job type declares it."""

    number: int
    name: str
    task_type: str
    parallelism: str


class DeclaredValidator(Answer):
    """A check that is made before anything is written."""

    validator: str
    parameter: str


class JobTypeDescription(Answer):
    """What can be submitted."""

    job_type: str
    description: str
    identity: Literal["for_ever", "while_active"]
    stages: list[StageDeclared]
    parameters_schema: JsonObject = Field(description="JSON Schema, with defaults and examples.")
    validators: list[DeclaredValidator]
    links: dict[str, str]


class Alive(Answer):
    """The process is up."""

    status: Literal["alive"]
    version: str


class Component(Answer):
    """Something that the service needs, or is made of."""

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str | None = None
    latency_ms: float
    detail: str = ""


class Ready(Answer):
    """Database and bus answer."""

    status: Literal["ready"]
    components: dict[str, Component]


class Health(Answer):
    """Every component, and how many rows are older than their law allows."""

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    violations: int | None = Field(description="Rows of app.violations; null when they cannot be counted.")
    components: dict[str, Component]


class Pause(Answer):
    """Whether claiming is paused."""

    paused: bool
    until: datetime | None
    reason: str | None
    by: str | None


class ParameterProblem(Answer):
    """One thing that is wrong with a request."""

    parameter: str
    message: str
    value: Any = None


class Problem(Answer):
    """An error, as RFC 9457 has it."""

    type: str = Field(description="Where the code is described.")
    title: str
    status: int
    detail: str
    instance: str
    code: str
    remedy: str
    retryable: bool = Field(description="Whether the same request may succeed later.")
    errors: list[ParameterProblem] = Field(default=[], description="Everything that is wrong, if listed.")
    details: JsonObject = Field(default={}, description="Facts for machines, if any.")
