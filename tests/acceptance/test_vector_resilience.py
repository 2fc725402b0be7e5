"""A vector job killed at any moment ends with the same table, and a failed one keeps nobody waiting."""

import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.vector_jobs import checksum, points, publish, rows_of, submit, wait_until_clean
from tests.fixtures.processes import wait_until

if TYPE_CHECKING:
    from tests.factories.local_system import RunningSystem

TABLES = ("killed_1", "killed_2", "killed_3", "killed_4")
ROWS = 2_000


@pytest.fixture(scope="module")
def reference(terrane: "RunningSystem") -> str:
    """Publish every table undisturbed; return the checksum that all of them have."""
    sums = set()
    for table in TABLES:
        job = publish(terrane, points(ROWS), table_name=table, chunk_size=100)
        assert job["status"] == "completed", job["error"]
        sums.add(checksum(terrane, table))
    [one] = sums
    return one


@pytest.mark.parametrize("seed", range(5))
def test_workers_killed_at_any_moment_leave_the_same_tables(
    terrane: "RunningSystem", reference: str, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    jobs = []
    for table in TABLES:
        # One after the other, so that one blow meets each of them somewhere else.
        jobs.append(submit(terrane, None, table_name=table, chunk_size=100, rerun=True).body["job_id"])
        time.sleep(chance.uniform(0.1, 0.6))
    wait_until(lambda: any(terrane.tasks(job_id, 1) for job_id in jobs), 60)
    time.sleep(chance.uniform(0, 3))
    for worker in terrane.workers():
        worker.kill()

    ended = [terrane.ended(job_id) for job_id in jobs]
    for job_id in jobs:
        # A blow may meet the clean-up as well; until it is over the job cannot be run again.
        wait_until_clean(terrane, job_id)

    assert [job["status"] for job in ended] == ["completed"] * len(TABLES), [job["error"] for job in ended]
    assert {checksum(terrane, table) for table in TABLES} == {reference}
    assert {job["result"]["rows_loaded"] for job in ended} == {ROWS}


def test_the_old_table_serves_until_the_new_one_is_whole(terrane: "RunningSystem") -> None:
    publish(terrane, points(100), table_name="watched")
    receipt = submit(terrane, points(2_000), table_name="watched", chunk_size=101, if_exists="replace")
    seen = set()

    def count_until_it_has_ended() -> bool:
        seen.update(row["n"] for row in rows_of(terrane, "SELECT count(*) AS n FROM geo.watched"))
        return terrane.request("GET", f"/api/jobs/{receipt.body['job_id']}").body["completed_at"] is not None

    wait_until(count_until_it_has_ended, 120)
    seen.update(row["n"] for row in rows_of(terrane, "SELECT count(*) AS n FROM geo.watched"))

    assert seen == {100, 2_000}


def test_a_cancelled_job_leaves_the_table_that_was_there(terrane: "RunningSystem") -> None:
    publish(terrane, points(100), table_name="kept")
    before = checksum(terrane, "kept")
    receipt = submit(terrane, points(20_000), table_name="kept", chunk_size=100, if_exists="replace")
    job_id = receipt.body["job_id"]
    wait_until(lambda: bool(terrane.tasks(job_id, 2)), 60)

    terrane.request("POST", f"/api/jobs/{job_id}/cancel")
    job = terrane.ended(job_id)

    assert job["status"] == "cancelled"
    assert checksum(terrane, "kept") == before
