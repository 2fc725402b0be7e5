"""Names of job types and handlers, checked once when the process starts."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from core import codes
from core.declaration import JobType
from core.errors import NotFound
from core.handler import Handler

T = TypeVar("T")
AnyHandler = Handler[Any, Any]


class Registry:
    """Every job type and every handler of this release.

    Args:
        jobs: The listed job types.
        handlers: The listed handlers.

    Raises:
        ValueError: A name is taken twice, or a stage names a handler that is not listed.
    """

    def __init__(self, jobs: Iterable[JobType], handlers: Iterable[AnyHandler]) -> None:
        self.jobs: Mapping[str, JobType] = _unique("job type", ((job.job_type, job) for job in jobs))
        self.handlers: Mapping[str, AnyHandler] = _unique(
            "handler", ((handler.task_type, handler) for handler in handlers)
        )
        for job in self.jobs.values():
            for stage in job.stages:
                if stage.task_type not in self.handlers:
                    raise ValueError(
                        f"{job.job_type}: stage {stage.name} names no handler: {stage.task_type}"
                    )

    def job(self, job_type: str) -> JobType:
        """Return a job type.

        Raises:
            NotFound: There is none of that name; the message lists those there are.
        """
        if job_type not in self.jobs:
            known = ", ".join(sorted(self.jobs))
            raise NotFound(codes.JOB_TYPE_UNKNOWN, f"There is no job type {job_type!r}; there are: {known}.")
        return self.jobs[job_type]


def _unique(what: str, named: Iterable[tuple[str, T]]) -> Mapping[str, T]:
    table: dict[str, T] = {}
    for name, thing in named:
        if name in table:
            raise ValueError(f"two of one name: {what} {name}")
        table[name] = thing
    return table
