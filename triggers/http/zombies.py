"""Tasks whose workers have fallen silent."""

from datetime import timedelta
from http import HTTPStatus

from pydantic import Field

from core.models.janitor import SilentTask, SweepState
from core.zombies import fate
from triggers.bootstrap import app
from triggers.http.endpoints import Contract, Reply, Resource
from triggers.http.janitor_schemas import ZombieTask
from triggers.http.paging import NEWEST_FIRST, PageQuery, page, start
from triggers.http.requests import Call
from triggers.http.schemas import Page

resource = Resource("Silent workers", "For operators: tasks in work that nobody has beaten for.")

_HEARTBEATS = 2
_MOST_SECONDS = 30 * 24 * 3_600


class ZombiesQuery(PageQuery):
    """From which silence on a task is listed."""

    silent_seconds: float | None = Field(
        default=None,
        ge=0,
        le=_MOST_SECONDS,
        description="Shortest time since the last heartbeat; by default two heartbeats.",
    )


@resource.route(
    "GET", "dbadmin/zombie-tasks", Contract(query=ZombiesQuery, answers={HTTPStatus.OK: Page[ZombieTask]})
)
def dbadmin_zombie_tasks(call: Call[ZombiesQuery]) -> Reply:
    """List tasks in work whose workers are silent, and what the watchdog will do about each and when.

    The longest silence comes first.
    """
    query = call.query
    parts = app()
    seconds = query.silent_seconds
    if seconds is None:
        seconds = _HEARTBEATS * parts.settings.engine.heartbeat_seconds
    found = parts.mending.silent_tasks(
        timedelta(seconds=seconds), query.limit + 1, start(query, NEWEST_FIRST)
    )
    [watchdog] = [state for state in parts.sweep_runs.states() if state.sweep == "task_watchdog"]
    return Reply(page(call, found, lambda task: _zombie(task, watchdog), _key))


def _key(task: SilentTask) -> list[object]:
    return [task.heartbeat_at, task.task_id]


def _zombie(task: SilentTask, watchdog: SweepState) -> ZombieTask:
    coming = fate(task, watchdog, app().settings.engine.max_rescues)
    return ZombieTask(
        **{name: getattr(task, name) for name in _SHOWN},
        age_seconds=task.running_for.total_seconds(),
        last_heartbeat_at=task.heartbeat_at,
        silent_seconds=task.silence.total_seconds(),
        action=coming.action,
        not_before=coming.not_before,
        due_by=coming.due_by,
        sentence=coming.sentence,
    )


_SHOWN = tuple(name for name in ZombieTask.model_fields if name in SilentTask.__dataclass_fields__)
