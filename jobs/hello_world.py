"""The smoke test: greetings fanned out, then a reply to each."""

from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field

from core.declaration import PreviousResults, Stage, TaskPlan
from jobs.mixins import NO_IDENTITY, JobBaseMixin, JobParameters


class HelloWorldParameters(JobParameters):
    """What a caller submits."""

    n: int = Field(default=3, ge=1, le=100_000, description="Greetings, one task each.", examples=[3])
    message: str = Field(default="Hello World", max_length=1_000, description="What is said.")
    failure_rate: float = Field(
        default=0.0,
        ge=0,
        le=1,
        strict=False,
        description="Chance that an attempt of a greeting meets a passing fault, to see retries.",
        json_schema_extra=NO_IDENTITY,
    )
    sleep_seconds: float = Field(
        default=0.0, ge=0, le=600, strict=False, description="How long each greeting takes."
    )


class HelloWorldJob(JobBaseMixin):
    """Say hello `n` times, and answer each greeting."""

    job_type = "hello_world"
    description = "Say hello n times and answer each greeting: a smoke test of the whole engine."
    parameters_schema = HelloWorldParameters
    stages: ClassVar = (
        Stage("greeting", task_type="hello_world_greeting", parallelism="fan_out"),
        Stage("reply", task_type="hello_world_reply", parallelism="fan_out"),
    )

    @staticmethod
    def plan_greeting(p: HelloWorldParameters, previous: PreviousResults) -> Iterable[TaskPlan]:  # noqa: ARG004 - every planner is given both
        """Plan one greeting for each index."""
        width = len(str(p.n - 1))
        for index in range(p.n):
            yield TaskPlan(
                f"{index:0{width}d}",
                {
                    "index": index,
                    "message": p.message,
                    "failure_rate": p.failure_rate,
                    "sleep_seconds": p.sleep_seconds,
                },
            )

    @staticmethod
    def plan_reply(p: HelloWorldParameters, previous: PreviousResults) -> Iterable[TaskPlan]:  # noqa: ARG004 - every planner is given both
        """Plan one reply to each greeting, under the greeting's key."""
        for greeting in previous:
            yield TaskPlan(greeting.key, {"greeting": greeting.result["greeting"]})
