"""The one way in: what is asked in which order, and what the caller is told."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import Field

from core import codes
from core.declaration import Location, PreviousResults, ResourceCheck, Stage, TaskPlan
from core.errors import Conflict, InvalidInput, NotFound, TransientError, Violation
from core.handler import TaskContext, task_handler
from core.ports.blobs import BlobRef, BlobStore, WriteOptions
from core.registry import Registry
from core.states import JobStatus
from core.submission import SubmissionService, SubmitRequest
from core.validation import ResourceValidators, ResourceViolation
from jobs.mixins import NO_IDENTITY, JobBaseMixin, JobParameters
from tests.factories.clock import ManualClock
from tests.factories.memory_app import MemoryApp, Unavailable, memory_app

SOURCE = BlobRef("bronze", "a.tif")


class CopyParameters(JobParameters):
    """Which blob, and what does not make another job of it."""

    name: str = "a.tif"
    depth: int = Field(default=1, ge=1)
    label: str = Field(default="", json_schema_extra=NO_IDENTITY)
    fails: bool = Field(default=False, json_schema_extra=NO_IDENTITY)


class CopyJob(JobBaseMixin):
    """A job that stands for ever, as long as its source does not change."""

    job_type = "copy"
    description = "A job that stands for ever, as long as its source does not change."
    parameters_schema = CopyParameters
    stages: ClassVar = (Stage("only", task_type="copy"),)
    identity = "for_ever"
    resource_validators: ClassVar = (ResourceCheck("asked", "name"),)

    @classmethod
    def sources(cls, parameters: Any) -> Sequence[BlobRef]:
        return (BlobRef("bronze", parameters.name),)

    @classmethod
    def publishes(cls, parameters: Any) -> Sequence[Location]:
        return (Location("blob", "silver/out.tif"),)

    @staticmethod
    def plan_only(p: CopyParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        """Plan the task."""
        yield TaskPlan("only", p.model_dump())


@task_handler("copy")
def copy(parameters: CopyParameters, context: TaskContext) -> CopyParameters:
    """Do nothing, or fail."""
    if parameters.fails:
        raise ZeroDivisionError
    return parameters


class Desk:
    """The service on in-memory adapters, and what its validator was asked and answers."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "source"
        self.terrane: MemoryApp = memory_app([CopyJob], [copy], ManualClock())
        self.asked: list[object] = []
        self.violation: ResourceViolation | None = None
        self.blobs: BlobStore = self.terrane.blobs
        self.put(b"first")

    def put(self, content: bytes) -> None:
        self._file.write_bytes(content)
        self.terrane.blobs.ensure_container(SOURCE.container)
        self.terrane.blobs.upload(self._file, SOURCE, WriteOptions())

    @property
    def service(self) -> SubmissionService:
        app = self.terrane.app
        validators = ResourceValidators({"asked": self._validate})
        return SubmissionService(Registry([CopyJob], [copy]), app.jobs, self.blobs, validators, app.bells)

    def submit(self, *, rerun: bool = False, **parameters: object) -> tuple[str, int, bool]:
        receipt = self.service.submit(SubmitRequest("copy", parameters, rerun=rerun))
        return receipt.status, receipt.revision, receipt.created

    def _validate(self, values: Any, check: ResourceCheck) -> ResourceViolation | None:
        self.asked.append(values[check.parameter])
        return self.violation


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def bells(desk: Desk) -> int:
    found = 0
    while desk.terrane.queue.take("light") is not None:
        found += 1
    return found


def test_a_new_job_is_recorded_and_rung_for(desk: Desk) -> None:
    assert desk.submit() == (JobStatus.QUEUED, 1, True)
    assert bells(desk) == 1


def test_a_job_that_is_active_is_joined_and_rung_for_and_nothing_is_asked(desk: Desk) -> None:
    desk.submit()
    bells(desk)
    desk.asked.clear()

    assert desk.submit(rerun=True) == (JobStatus.QUEUED, 1, False)
    assert bells(desk) == 1
    assert desk.asked == []


def test_a_completed_job_is_found_and_its_resources_are_not_asked_for(desk: Desk) -> None:
    desk.submit()
    desk.terrane.work()
    desk.asked.clear()

    assert desk.submit() == (JobStatus.COMPLETED, 1, False)
    assert (bells(desk), desk.asked) == (0, [])


def test_a_completed_job_runs_again_when_its_source_has_changed(desk: Desk) -> None:
    desk.submit()
    desk.terrane.work()
    desk.put(b"second")

    assert desk.submit() == (JobStatus.QUEUED, 2, True)


def test_a_source_that_is_gone_says_nothing_about_a_change(desk: Desk) -> None:
    desk.submit()
    desk.terrane.work()
    desk.terrane.blobs.delete(SOURCE)

    assert desk.submit() == (JobStatus.COMPLETED, 1, False)


def test_a_store_that_does_not_answer_says_nothing_about_a_change(desk: Desk) -> None:
    desk.submit()
    desk.terrane.work()
    desk.blobs = Unavailable(codes.STORAGE_UNAVAILABLE)  # type: ignore[assignment]

    assert desk.submit() == (JobStatus.COMPLETED, 1, False)


def test_a_completed_job_runs_again_on_demand(desk: Desk) -> None:
    desk.submit()
    desk.terrane.work()

    assert desk.submit(rerun=True) == (JobStatus.QUEUED, 2, True)


def test_what_is_no_part_of_the_identity_makes_no_other_job(desk: Desk) -> None:
    desk.submit(label="one")

    assert desk.submit(label="two", depth=1) == (JobStatus.QUEUED, 1, False)


def test_every_wrong_parameter_is_told(desk: Desk) -> None:
    with pytest.raises(InvalidInput) as caught:
        desk.submit(depth=0, name=7, colour="red")

    told = {violation.parameter: violation.value for violation in caught.value.violations}
    assert told == {"depth": 0, "name": 7, "colour": "red"}
    assert caught.value.code is codes.PARAMETERS_INVALID
    assert desk.asked == []


def test_a_resource_that_is_wrong_costs_nothing_but_the_request(desk: Desk) -> None:
    desk.violation = ResourceViolation(codes.BLOB_MISSING, "bronze/a.tif does not exist.")

    with pytest.raises(InvalidInput) as caught:
        desk.submit()

    assert caught.value.code is codes.BLOB_MISSING
    assert caught.value.violations == (
        Violation("name", f"bronze/a.tif does not exist. {codes.BLOB_MISSING.remedy}", "a.tif"),
    )
    assert (desk.terrane.state.jobs, bells(desk)) == ({}, 0)


def test_the_remedy_is_a_sentence_of_its_own(desk: Desk) -> None:
    desk.violation = ResourceViolation(codes.BLOB_MISSING, "bronze/a.tif does not exist")

    with pytest.raises(InvalidInput) as caught:
        desk.submit()

    [violation] = caught.value.violations
    assert violation.message == f"bronze/a.tif does not exist. {codes.BLOB_MISSING.remedy}"


def test_a_place_that_another_job_claims_is_a_conflict_that_names_it(desk: Desk) -> None:
    owner = desk.service.submit(SubmitRequest("copy", {})).job_id

    with pytest.raises(Conflict) as caught:
        desk.submit(name="b.tif")

    assert caught.value.code is codes.ARTIFACT_OWNED
    assert caught.value.details == {"job_id": owner, "location": "silver/out.tif"}


def test_a_bus_that_is_down_hinders_nobody(desk: Desk) -> None:
    desk.terrane.take_down("queue", codes.BUS_UNAVAILABLE)

    assert desk.submit() == (JobStatus.QUEUED, 1, True)


def test_a_database_that_is_down_is_a_passing_fault(desk: Desk) -> None:
    desk.terrane.take_down("jobs", codes.DATABASE_UNAVAILABLE)

    with pytest.raises(TransientError):
        desk.submit()


def test_an_unknown_job_type_is_told_with_those_there_are(desk: Desk) -> None:
    with pytest.raises(NotFound, match="'paint'; there are: copy"):
        desk.service.submit(SubmitRequest("paint", {}))


def test_a_failed_job_is_resubmitted_as_its_next_revision(desk: Desk) -> None:
    job_id = desk.service.submit(SubmitRequest("copy", {"fails": True}, priority=8)).job_id
    desk.terrane.work()

    receipt = desk.service.resubmit(job_id, "me")

    job = desk.terrane.app.jobs.get(job_id)
    assert (receipt.revision, receipt.created) == (2, True)
    assert job is not None
    assert (job.priority, job.requested_by, job.parameters["fails"]) == (8, "me", True)


@pytest.mark.parametrize("completes", [False, True])
def test_an_active_or_completed_job_is_not_resubmitted(desk: Desk, completes: bool) -> None:
    job_id = desk.service.submit(SubmitRequest("copy", {})).job_id
    if completes:
        desk.terrane.work()

    with pytest.raises(Conflict) as caught:
        desk.service.resubmit(job_id, "me")

    assert caught.value.code is codes.JOB_NOT_RESUBMITTABLE


def test_an_unpublished_job_is_resubmitted(desk: Desk) -> None:
    job_id = desk.service.submit(SubmitRequest("copy", {})).job_id
    desk.terrane.work()
    desk.terrane.state.jobs[job_id].unpublished_at = desk.terrane.state.clock.now()

    assert desk.service.resubmit(job_id, "me").revision == 2


def test_a_job_that_does_not_exist_is_not_resubmitted(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk.service.resubmit("0" * 64, "me")
