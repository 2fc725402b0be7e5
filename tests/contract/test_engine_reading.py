"""What can be read of either store: lists in pages, filters, tasks, events."""

from datetime import timedelta

import pytest

from core.models.records import JobRecord, TaskRecord
from core.ports.engine import JobFilter, TaskFilter
from core.states import JobStatus, Outcome, TaskStatus
from tests.factories.engine import TWO_STAGES, EngineStore, id_of, keys

MINUTE = timedelta(minutes=1)


def _submit_all(store: EngineStore, *names: str) -> None:
    """Submit jobs, one a minute."""
    for name in names:
        store.submit(name)
        store.advance(MINUTE)


def _names(records: list[JobRecord]) -> list[str]:
    return [str(record.parameters["name"]) for record in records]


def _jobs(store: EngineStore, where: JobFilter | None = None, limit: int = 10) -> list[JobRecord]:
    return list(store.jobs.list_jobs(where or JobFilter(), limit, None))


def test_a_job_that_does_not_exist_is_none(store: EngineStore) -> None:
    assert store.jobs.get(id_of("nobody")) is None
    assert store.tasks.get("nothing") is None
    assert list(store.tasks.list_tasks(id_of("nobody"), TaskFilter(), 10, None)) == []
    assert list(store.jobs.events(id_of("nobody"), 10, 0)) == []


def test_statuses_are_told_of_those_that_exist(store: EngineStore) -> None:
    store.submit("a")
    store.plan([])
    store.submit("b")

    found = store.jobs.statuses([id_of("a"), id_of("b"), id_of("nobody")])

    assert found == {id_of("a"): "completed", id_of("b"): "queued"}
    assert store.jobs.statuses([]) == {}


def test_jobs_are_listed_newest_first_in_pages(store: EngineStore) -> None:
    _submit_all(store, *"abcde")

    pages = []
    before = None
    while page := list(store.jobs.list_jobs(JobFilter(), 2, before)):
        pages.append(_names(page))
        before = (page[-1].created_at, page[-1].job_id)

    assert pages == [["e", "d"], ["c", "b"], ["a"]]


def test_a_page_is_not_moved_by_what_is_submitted_meanwhile(store: EngineStore) -> None:
    _submit_all(store, *"abc")
    [newest] = store.jobs.list_jobs(JobFilter(), 1, None)
    store.submit("d")

    rest = list(store.jobs.list_jobs(JobFilter(), 10, (newest.created_at, newest.job_id)))

    assert _names(rest) == ["b", "a"]


def test_jobs_are_listed_without_their_stages(store: EngineStore) -> None:
    store.submit()

    assert _jobs(store)[0].stages == ()


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (JobFilter(status="completed"), ["done"]),
        (JobFilter(status="failed"), ["bad"]),
        (JobFilter(code="test.fault"), ["bad"]),
        (JobFilter(code="other"), []),
        (JobFilter(job_type="other"), ["other"]),
        (JobFilter(job_type="test_job", status="queued"), ["waiting"]),
        (JobFilter(), ["other", "waiting", "bad", "done"]),
    ],
)
def test_jobs_are_chosen_by_what_they_are(store: EngineStore, where: JobFilter, expected: list[str]) -> None:
    [done] = store.start(name="done")
    store.end(done)
    store.advance(MINUTE)
    [bad] = store.start(name="bad")
    store.end(bad, Outcome.FAILED)
    store.advance(MINUTE)
    _submit_all(store, "waiting")
    store.submit("other", job_type="other")

    assert _names(_jobs(store, where)) == expected


def test_jobs_are_chosen_by_when_they_were_submitted(store: EngineStore) -> None:
    _submit_all(store, *"abc")
    moment = store.job("b").created_at

    assert _names(_jobs(store, JobFilter(submitted_after=moment))) == ["c", "b"]
    assert _names(_jobs(store, JobFilter(submitted_before=moment))) == ["a"]


def _keys(tasks: list[TaskRecord]) -> list[tuple[int, str]]:
    return [(task.stage, task.key) for task in tasks]


def test_tasks_are_listed_last_stage_first_in_pages(store: EngineStore) -> None:
    store.end_all(store.start(keys(2), stages=TWO_STAGES))
    store.plan(keys(3))

    pages = []
    before = None
    while page := list(store.tasks.list_tasks(id_of("a"), TaskFilter(), 2, before)):
        pages.append(_keys(page))
        before = (page[-1].stage, page[-1].key)

    assert pages == [[(2, "00002"), (2, "00001")], [(2, "00000"), (1, "00001")], [(1, "00000")]]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (TaskFilter(stage=1), [(1, "00001"), (1, "00000")]),
        (TaskFilter(stage=2), [(2, "00000")]),
        (TaskFilter(status="completed"), [(1, "00001"), (1, "00000")]),
        (TaskFilter(status="queued"), [(2, "00000")]),
        (TaskFilter(stage=1, status="queued"), []),
        (TaskFilter(kind="plan"), [(2, "plan"), (1, "plan")]),
        (TaskFilter(kind="plan", stage=1), [(1, "plan")]),
        (TaskFilter(kind="cleanup"), []),
    ],
)
def test_tasks_are_chosen_by_what_they_are(
    store: EngineStore, where: TaskFilter, expected: list[tuple[int, str]]
) -> None:
    store.end_all(store.start(keys(2), stages=TWO_STAGES))
    store.plan(keys(1))

    assert _keys(list(store.tasks.list_tasks(id_of("a"), where, 10, None))) == expected


def test_tasks_of_an_earlier_revision_are_not_listed(store: EngineStore) -> None:
    [task] = store.start(["old"])
    store.end(task, Outcome.FAILED)
    store.start(["new"])

    tasks = list(store.tasks.list_tasks(id_of("a"), TaskFilter(), 10, None))

    assert _keys(tasks) == [(1, "new")]
    assert store.statuses([task]) == [TaskStatus.FAILED]


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        (frozenset(), (None, None)),
        (frozenset({"parameters"}), ({"key": "k"}, None)),
        (frozenset({"result"}), (None, {"key": "k"})),
        (frozenset({"parameters", "result"}), ({"key": "k"}, {"key": "k"})),
    ],
)
def test_what_is_bulky_is_listed_only_if_it_is_asked_for(
    store: EngineStore, include: frozenset[str], expected: tuple[object, object]
) -> None:
    [task] = store.start()
    store.end(task)

    [listed] = store.tasks.list_tasks(id_of("a"), TaskFilter(include=include), 10, None)

    assert (listed.parameters, listed.result) == expected


def test_failures_are_read_in_pages_in_order_of_key(store: EngineStore) -> None:
    store.submit()
    store.plan(keys(4), give_up_after=MINUTE)
    good, *bad = store.claim()
    store.end(good)
    store.end_all(bad, Outcome.FAILED)

    first = list(store.tasks.failures(id_of("a"), 1, 1, "", 2))
    rest = list(store.tasks.failures(id_of("a"), 1, 1, first[-1].key, 2))

    assert [task.key for task in [*first, *rest]] == ["00001", "00002", "00003"]
    assert {task.status for task in first} == {TaskStatus.FAILED}


def test_events_are_read_in_order_behind_the_last_one_seen(store: EngineStore) -> None:
    [task] = store.start()
    store.end(task)

    first = list(store.jobs.events(id_of("a"), 3, 0))
    rest = list(store.jobs.events(id_of("a"), 100, first[-1].event_id))

    numbers = [event.event_id for event in [*first, *rest]]
    assert numbers == sorted(set(numbers))
    assert [event.event for event in first] == ["queued", "planning", "processing"]
    assert rest[-1].event == "completed"


def test_events_tell_who_asked_and_why(store: EngineStore) -> None:
    store.submit(requested_by="me")
    store.stop()

    queued, _, stopping, _, cancelled = store.jobs.events(id_of("a"), 100, 0)

    assert (queued.actor, queued.reason) == ("me", None)
    assert (stopping.event, stopping.actor, stopping.reason) == (
        "stopping",
        "tester",
        "Somebody cancelled it.",
    )
    assert (cancelled.subject, cancelled.event, cancelled.actor) == ("job", "cancelled", "tester")


def test_the_history_of_every_revision_is_kept(store: EngineStore) -> None:
    store.submit()
    store.stop()
    store.submit()

    revisions = [event.revision for event in store.jobs.events(id_of("a"), 100, 0)]

    assert revisions == [1, 1, 1, 1, 1, 2, 2]
    assert store.job().status is JobStatus.QUEUED


def test_a_store_says_what_it_is(store: EngineStore) -> None:
    assert store.jobs.ping()
