"""Running one claimed task and naming its end."""

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ValidationError

from core import codes
from core.cleanup import CleanUp
from core.context import RunningTask, Surroundings
from core.declaration import ROW_VERSION
from core.errors import (
    NativeCrash,
    OutOfMemory,
    Snooze,
    Stopped,
    TaskFailed,
    TerraneError,
    TransientError,
    is_out_of_space,
)
from core.heart import Hold
from core.json import JsonObject, dumps, to_jsonable
from core.logs import bind
from core.models.claims import ClaimedTask, Ended, TaskEnd
from core.planning import Planner
from core.ports.clock import Chance
from core.ports.engine import FenceLost, JobStopping
from core.registry import Registry
from core.retry import backoff
from core.states import Outcome

logger = logging.getLogger(__name__)


_MOST_RESULT_BYTES = 256 * 1024
_TOO_OLD_PAUSE = timedelta(seconds=60)
_TOO_OLD_PATIENCE = timedelta(hours=1)


@dataclass(frozen=True)
class Executed:
    """What running a claim came to.

    Args:
        end: The end to record; None if the task ended itself, or is no longer this claim's.
        ended: What the task's own transaction brought about, if it ended itself.
    """

    end: TaskEnd | None = None
    ended: Ended | None = None


@dataclass(frozen=True)
class Executor:
    """Runs tasks of every kind.

    Args:
        registry: The handlers.
        planner: Runs plan tasks.
        clean_up: Runs clean-up tasks.
        around: What handlers share.
        chance: Jitter of the retries, and for handlers.
    """

    registry: Registry
    planner: Planner
    clean_up: CleanUp
    around: Surroundings
    chance: Chance

    def run(self, hold: Hold) -> Executed:
        """Run a claim to its end; whatever it raises is an outcome, too."""
        task = hold.task
        with bind(job_id=task.job_id, task_id=task.task_id, attempt=task.attempt):
            context = RunningTask(hold, self.around, self.chance)
            try:
                executed = self._outcome(hold, context)
            finally:
                context.close()
        # A task that has ended itself is over, whatever its handler met afterwards.
        return executed if context.ended is None else Executed(ended=context.ended)

    def _outcome(self, hold: Hold, context: RunningTask) -> Executed:
        try:
            return self._attempt(hold, context)
        except (FenceLost, JobStopping, Stopped, Snooze) as signal:
            return self._signalled(hold.task, signal)
        except TerraneError as error:
            return self._failed(hold.task, error)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises ends its task, not the worker
            return self._broken(hold.task, error)

    def _attempt(self, hold: Hold, context: RunningTask) -> Executed:
        task = hold.task
        hold.check()
        if self._is_too_new(task):
            return self._too_old(task)
        if task.kind == "plan":
            return Executed(ended=self.planner.run(task))
        if task.kind == "cleanup":
            return _ends(task, Outcome.COMPLETED, result=self.clean_up.run(task, context))
        handler = self.registry.handlers[task.task_type]
        result = handler(_parameters(handler.parameters, task), context)
        return _ends(task, Outcome.COMPLETED, result=_checked_result(result))

    def _is_too_new(self, task: ClaimedTask) -> bool:
        if task.row_version > ROW_VERSION:
            return True
        if task.kind == "work":
            return task.task_type not in self.registry.handlers
        # Plans and clean-ups need what the job type declares.
        return task.job_type not in self.registry.jobs

    def _too_old(self, task: ClaimedTask) -> Executed:
        """Leave a task to a newer worker: releases that roll out meet each other's rows."""
        message = f"No worker of this release knows {task.task_type!r} of job type {task.job_type!r}."
        if task.claimed_for > _TOO_OLD_PATIENCE:
            return _ends(task, Outcome.FAILED, error=TaskFailed(codes.TASK_TYPE_UNKNOWN, message).as_json())
        error = {"code": codes.TASK_TYPE_UNKNOWN.code, "message": message}
        return _ends(task, Outcome.SNOOZE, error=error, delay=_TOO_OLD_PAUSE)

    def _signalled(self, task: ClaimedTask, signal: Exception) -> Executed:
        """Turn what is no error into the end that it asks for."""
        if isinstance(signal, Snooze):
            return _ends(task, Outcome.SNOOZE, error={"message": signal.message}, delay=signal.delay)
        reason = signal.reason if isinstance(signal, Stopped) else "lost"
        if isinstance(signal, JobStopping):
            reason = "stopping"
        logger.info("task stopped", extra={"reason": reason})
        if reason == "lost":
            return Executed()
        return _ends(task, Outcome.CANCELLED if reason == "stopping" else Outcome.RELEASE)

    def _failed(self, task: ClaimedTask, error: TerraneError) -> Executed:
        logger.info("task failed", extra={"code": error.code.code, "reason": error.message})
        if isinstance(error, TransientError):
            return self._retry(task, error)
        if isinstance(error, NativeCrash | OutOfMemory):
            return self._crashed(task, error)
        return _ends(task, Outcome.FAILED, error=error.as_json())

    def _broken(self, task: ClaimedTask, error: Exception) -> Executed:
        if is_out_of_space(error):
            return self._failed(task, TransientError(codes.WORKSPACE_FULL, str(error)))
        logger.exception("handler broken", exc_info=error)
        return _ends(task, Outcome.FAILED, error=_unexpected(error))

    def _retry(self, task: ClaimedTask, error: TerraneError) -> Executed:
        return _ends(task, Outcome.RETRY, error=error.as_json(), delay=backoff(task.attempt, self.chance))

    def _crashed(self, task: ClaimedTask, error: TerraneError) -> Executed:
        """Give native code one more try: the first may have shared the machine with others."""
        if task.last_code == error.code.code:
            return _ends(task, Outcome.FAILED, error=error.as_json())
        return self._retry(task, error)


def release(task: ClaimedTask) -> TaskEnd:
    """Return the end of a claim that was never begun."""
    return TaskEnd(task.task_id, task.fence, Outcome.RELEASE)


def _ends(task: ClaimedTask, outcome: Outcome, **fields: Any) -> Executed:
    return Executed(replace(TaskEnd(task.task_id, task.fence, outcome), **fields))


def _parameters(model: type[BaseModel], task: ClaimedTask) -> BaseModel:
    try:
        return model.model_validate(task.parameters)
    except ValidationError as error:
        raise TaskFailed(codes.TASK_CRASHED, f"{task.task_type}: {error}") from error


def _checked_result(result: BaseModel) -> JsonObject:
    value: JsonObject = to_jsonable(result.model_dump())
    nbytes = len(dumps(value).encode())
    if nbytes > _MOST_RESULT_BYTES:
        raise TaskFailed(codes.RESULT_TOO_LARGE, f"The result takes {nbytes} bytes.")
    return value


def _unexpected(error: Exception) -> JsonObject:
    return TaskFailed(codes.TASK_CRASHED, f"{type(error).__name__}: {error}").as_json()
