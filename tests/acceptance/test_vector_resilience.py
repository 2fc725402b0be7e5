"""A vector job killed at any moment ends with the same table, and a failed one keeps nobody waiting."""

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.vector_jobs import checksum, points, publish, rows_of, submit, wait_until_clean
from tests.fixtures.processes import wait_until

if TYPE_CHECKING:
    from tests.factories.local_system import RunningSystem

# Few blows at many jobs: after each one the host takes longer to start its workers again.
TABLES = tuple(f"killed_{number}" for number in range(7))
ROWS = 2_000
# A chunk that is cut by size has 16 MiB: these make three, loaded while the file is being read.
LONG_ROWS = 20_000
LONG = "x" * 2_000


@dataclass(frozen=True)
class Load:
    """A way to load, and the tables that were loaded so undisturbed.

    Args:
        tables: Published once, each with the same rows.
        given: Parameters that make the job take this way.
        rows: How many rows a table has.
        checksum: Of each of them.
    """

    tables: tuple[str, ...]
    given: dict[str, int]
    rows: int
    checksum: str


@pytest.fixture(scope="module", params=["a task for each chunk", "at once"])
def load(request: pytest.FixtureRequest, terrane: "RunningSystem") -> Load:
    if request.param == "at once":
        tables = tuple(f"{table}_long" for table in TABLES)
        return _published(terrane, tables, points(LONG_ROWS, text=LONG), {}, LONG_ROWS)
    return _published(terrane, TABLES, points(ROWS), {"chunk_size": 100}, ROWS)


def _published(
    terrane: "RunningSystem", tables: tuple[str, ...], content: bytes, given: dict[str, int], rows: int
) -> Load:
    sums = set()
    for table in tables:
        job = publish(terrane, content, table_name=table, **given)
        assert job["status"] == "completed", job["error"]
        # With a size of chunks all of them are tasks of the second stage, without one none is.
        assert bool(terrane.tasks(job["job_id"], 2)) is ("chunk_size" in given)
        sums.add(checksum(terrane, table))
    [one] = sums
    return Load(tables, given, rows, one)


@pytest.mark.parametrize("seed", range(3))
def test_workers_killed_at_any_moment_leave_the_same_tables(
    terrane: "RunningSystem", load: Load, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    jobs = []
    for table in load.tables:
        # One after the other, so that one blow meets each of them somewhere else.
        jobs.append(submit(terrane, None, table_name=table, rerun=True, **load.given).body["job_id"])
        time.sleep(chance.uniform(0.1, 0.4))
    wait_until(lambda: any(terrane.tasks(job_id, 1) for job_id in jobs), 60)
    time.sleep(chance.uniform(0, 3))
    # A blow in the pause between two tasks would show nothing.
    wait_until(lambda: bool(terrane.query("SELECT task_id FROM app.tasks WHERE status = 'processing'")), 60)
    for worker in terrane.workers():
        worker.kill()

    ended = [terrane.ended(job_id) for job_id in jobs]
    for job_id in jobs:
        # A blow may meet the clean-up as well; until it is over the job cannot be run again.
        wait_until_clean(terrane, job_id)

    assert [job["status"] for job in ended] == ["completed"] * len(jobs), [job["error"] for job in ended]
    assert {checksum(terrane, table) for table in load.tables} == {load.checksum}
    assert {job["result"]["rows_loaded"] for job in ended} == {load.rows}


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
