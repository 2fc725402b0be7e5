"""A job type whose tasks leave behind what can be counted: a row each, and a blob each."""

import random
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import BaseModel

from core.declaration import PreviousResults, Stage, TaskPlan
from core.errors import ErrorCode, TransientError
from core.handler import TaskContext, task_handler
from core.ports.blobs import BlobRef, WriteOptions
from jobs.mixins import JobBaseMixin, JobParameters

CONTAINER = "silver-cogs"
FAULT = ErrorCode("chaos.simulated_fault", "A fault was asked for", "None is needed.", retryable=True)

TABLE = """
CREATE SCHEMA chaos;
CREATE TABLE chaos.effects (
    job_id text, revision integer, stage integer, key text, fence bigint, sealed boolean,
    PRIMARY KEY (job_id, revision, stage, key));
GRANT USAGE ON SCHEMA chaos TO terrane_app;
GRANT SELECT, INSERT, UPDATE ON chaos.effects TO terrane_app;
"""
# In one transaction with the end of the task, so that a second one would be an error.
_SEALED = "INSERT INTO chaos.effects VALUES (%s, %s, %s, %s, %s, true)"
# Before the end of the task, so that a later claim repeats it.
_REPEATED = """
INSERT INTO chaos.effects AS e VALUES (%s, %s, %s, %s, %s, false)
ON CONFLICT (job_id, revision, stage, key) DO UPDATE SET fence = excluded.fence WHERE e.fence < excluded.fence
"""


class CountedParameters(JobParameters):
    """How many tasks, how long each takes, how often one fails."""

    n: int
    number: int
    sleep_seconds: float = 0.0
    failure_rate: float = 0.0


class Writing(BaseModel):
    """One task."""

    index: int
    sleep_seconds: float
    failure_rate: float


class Written(BaseModel):
    """What a task has written."""

    name: str


class Published(BaseModel):
    """How many blobs were published."""

    blobs: int


class CountedJob(JobBaseMixin):
    """Write blobs and rows, then publish all blobs at once."""

    job_type = "counted"
    description = "Write blobs and rows that can be counted."
    parameters_schema = CountedParameters
    stages: ClassVar = (
        Stage("write", task_type="write_counted", parallelism="fan_out"),
        Stage("publish", task_type="publish_counted", parallelism="fan_in"),
    )

    @staticmethod
    def plan_write(p: CountedParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        """Plan one task for each blob."""
        for index in range(p.n):
            parameters = {
                "index": index,
                "sleep_seconds": p.sleep_seconds,
                "failure_rate": p.failure_rate,
            }
            yield TaskPlan(f"{index:03}", parameters)

    @staticmethod
    def plan_publish(p: CountedParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        """Plan the one that publishes."""
        yield TaskPlan("all", {})


@task_handler("write_counted", max_attempts=8)
def write_counted(p: Writing, context: TaskContext) -> Written:
    """Write a blob and a row; every other task ends in the transaction of its row."""
    context.sleep(timedelta(seconds=p.sleep_seconds))
    if random.random() < p.failure_rate:
        raise TransientError(FAULT, "The fault that was asked for.")
    source = context.workspace / "content"
    source.write_bytes(random.Random(p.index).randbytes(200_000))
    ref = BlobRef(CONTAINER, f"chaos/{context.task.job_id}/{p.index:03}.bin")
    context.publish_blob(source, ref, WriteOptions())
    written = Written(name=ref.name)
    with context.transaction() as transaction:
        if p.index % 2:
            _note(transaction, context, _SEALED)
            transaction.complete(written.model_dump())
        else:
            _note(transaction, context, _REPEATED)
    return written


class Publishing(BaseModel):
    """No parameters."""


@task_handler("publish_counted", max_attempts=8)
def publish_counted(p: Publishing, context: TaskContext) -> Published:
    """Make every blob of the job its own."""
    published = Published(blobs=sum(1 for _ in context.results()))
    with context.publication() as transaction:
        _note(transaction, context, _SEALED)
        transaction.complete(published.model_dump())
    return published


def _note(transaction: Any, context: TaskContext, statement: str) -> None:
    task = context.task
    # Handlers have no rows of their own; these do, to be counted.
    transaction._connection.execute(statement, [task.job_id, task.revision, task.stage, task.key, task.fence])
