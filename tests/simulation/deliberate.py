"""Deliberate faults: each breaks one rule of the engine, and the simulation must find it.

A fault is a small patch of the core or of an in-memory adapter. One that no seed of the test run
finds means that the simulation is too weak, not that the rule is not needed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from core import identity, publishing
from core.bells import Bells
from core.cleanup import CleanUp
from core.declaration import PrefixTemplate, TaskResult
from core.machine import LANES, CoreMachine
from core.models.claims import (
    BeatAnswer,
    ClaimedTask,
    ClaimRequest,
    Ended,
    FollowUp,
    TaskEnd,
)
from core.orphans import OrphanDetector
from core.ports.effects import ArtifactRecord
from core.ports.engine import PlannedTask
from core.publishing import BlobPublisher, parse_location
from core.states import FINAL_OUTCOMES, JobStatus, Outcome, TaskStatus
from core.sweeps import Step
from infrastructure.memory import effects, ends, jobs, mends, state, tasks
from infrastructure.memory.effects import InMemoryEffects
from infrastructure.memory.ends import Decided
from infrastructure.memory.rows import JobRow, TaskRow
from infrastructure.memory.state import EngineState
from infrastructure.memory.tasks import InMemoryTaskRepository
from tests.simulation.world import World

Patch = pytest.MonkeyPatch
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class DeliberateFault:
    """A rule that is broken on purpose.

    Args:
        what: What is wrong, in a sentence.
        apply: Makes it so.
    """

    what: str
    apply: Callable[[Patch], None]

    @property
    def name(self) -> str:
        """Return its name."""
        return self.apply.__name__


def _keep_fence(patch: Patch, outcomes: Iterable[Outcome]) -> None:
    original, kept = ends.write_end, frozenset(outcomes)

    def write_end(rows: EngineState, item: Decided) -> None:
        original(rows, item)
        item.task.fence -= item.end.outcome in kept

    for module in (ends, tasks, mends):
        patch.setattr(module, "write_end", write_end, raising=False)


def fence_kept_on_snooze(patch: Patch) -> None:
    _keep_fence(patch, [Outcome.SNOOZE])


def fence_kept_on_drain(patch: Patch) -> None:
    _keep_fence(patch, [Outcome.RELEASE])


def fence_kept_on_rescue(patch: Patch) -> None:
    _keep_fence(patch, [Outcome.RESCUE])


def fence_kept_on_end(patch: Patch) -> None:
    _keep_fence(patch, FINAL_OUTCOMES)


def task_id_without_revision(patch: Patch) -> None:
    original = identity.task_id

    def task_id(job: str, revision: int, stage: int, kind: str, key: str) -> str:
        return original(job, 1, stage, kind, key)

    patch.setattr(identity, "task_id", task_id)
    patch.setattr(state, "task_id", task_id)


@contextmanager
def _unaware_of_stop(job: JobRow) -> Iterator[None]:
    kept, job.stop_to = job.stop_to, None
    try:
        yield
    finally:
        job.stop_to = kept


def retry_beside_a_stop(patch: Patch) -> None:
    original = ends.decide

    def decide(rows: EngineState, task: TaskRow, end: TaskEnd) -> TaskEnd:
        with _unaware_of_stop(rows.jobs[task.job_id]):
            return original(rows, task, end)

    patch.setattr(ends, "decide", decide)


def plan_beside_a_stop(patch: Patch) -> None:
    original = InMemoryTaskRepository.end_plan

    def end_plan(
        self: InMemoryTaskRepository, plan: ClaimedTask, planned: Iterable[PlannedTask], slots: int
    ) -> Ended:
        with _unaware_of_stop(self._state.jobs[plan.job_id]):
            return original(self, plan, planned, slots)

    patch.setattr(InMemoryTaskRepository, "end_plan", end_plan)


def plan_visible_in_parts(patch: Patch) -> None:
    original, insert = InMemoryTaskRepository.end_plan, InMemoryTaskRepository._insert

    def end_plan(
        self: InMemoryTaskRepository, plan: ClaimedTask, planned: Iterable[PlannedTask], slots: int
    ) -> Ended:
        rows = list(planned)
        if self._state.tasks[plan.task_id].fence == plan.fence:
            now = self._state.clock.now()
            _insert(self, self._state.jobs[plan.job_id], plan, rows[: len(rows) // 2], slots, now)
        World.running.process().step("process.crash_after_commit")
        return original(self, plan, rows, slots)

    def _insert(
        self: InMemoryTaskRepository,
        job: JobRow,
        plan: ClaimedTask,
        planned: Sequence[PlannedTask],
        slots: int,
        now: datetime,
    ) -> None:
        insert(self, job, plan, [row for row in planned if row.task_id not in self._state.tasks], slots, now)

    patch.setattr(InMemoryTaskRepository, "_insert", _insert)
    patch.setattr(InMemoryTaskRepository, "end_plan", end_plan)


def clean_up_touches_what_was_live(patch: Patch) -> None:
    def remove(self: CleanUp, claim: ClaimedTask, record: ArtifactRecord) -> int:
        deleted = self._delete(claim, record)
        self.effects.close_artifact(claim, record, "deleted")
        return deleted

    patch.setattr(CleanUp, "_remove", remove)


def clean_up_before_the_last_sibling_stopped(patch: Patch) -> None:
    original = EngineState.mark_stopping

    def mark_stopping(self: EngineState, job: JobRow, to: str, error: Any, by: str | None) -> None:
        original(self, job, to, error, by)
        open_tasks = [
            task for task in self.tasks_of(job.job_id, job.revision) if task.status is TaskStatus.PROCESSING
        ]
        if len(open_tasks) > 1:
            self.end_job(job, JobStatus(to), None, error)

    patch.setattr(EngineState, "mark_stopping", mark_stopping)


def no_clean_up(patch: Patch) -> None:
    original = EngineState.end_job

    def end_job(self: EngineState, job: JobRow, *facts: Any) -> list[FollowUp]:
        kept, job.has_intermediates = job.has_intermediates, False
        try:
            return original(self, job, *facts)
        finally:
            job.has_intermediates = kept

    patch.setattr(EngineState, "end_job", end_job)


def early_bell_trusts_the_lane_row(patch: Patch) -> None:
    def schedule_bell(self: InMemoryTaskRepository, lane: str) -> timedelta | None:
        now = self._state.clock.now()
        due, row = self._due(lane, now), self._state.lanes[lane]
        if due is None or not (row.bell_at is None or row.bell_at > due):
            return None
        row.bell_at = due
        return due - now

    patch.setattr(InMemoryTaskRepository, "schedule_bell", schedule_bell)


def empty_bell_schedules_none(patch: Patch) -> None:
    patch.setattr(CoreMachine, "_schedule", lambda self, lane: None)


def bell_before_the_commit_and_none_after(patch: Patch) -> None:
    def end(self: CoreMachine, claims: Sequence[TaskEnd]) -> None:
        if claims:
            for lane in LANES:
                self.bells.ring(lane)
            self._patiently(lambda: self.tasks.end(claims))
            for one in claims:
                self.heart.let_go(one.task_id, one.fence)

    patch.setattr(CoreMachine, "_end", end)


def bell_forgotten_when_an_answer_was_lost(patch: Patch) -> None:
    def end(self: CoreMachine, claims: Sequence[TaskEnd]) -> None:
        if claims:
            ended = self._patiently(lambda: self.tasks.end(claims))
            for one in claims:
                self.heart.let_go(one.task_id, one.fence)
            self._follow(ended.follow_ups)

    patch.setattr(CoreMachine, "_end", end)


def scheduled_bell_forgotten_in_doubt(patch: Patch) -> None:
    def schedule(self: Bells, lane: str) -> None:
        delay = self.tasks.schedule_bell(lane)
        if delay is not None:
            self.queue.ring_later(lane, delay)

    patch.setattr(Bells, "schedule", schedule)


def slot_decremented_on_a_duplicate(patch: Patch) -> None:
    original = ends.end_tasks

    def end_tasks(rows: EngineState, claims: Sequence[TaskEnd]) -> Ended:
        ended = original(rows, claims)
        for answer in ended.answers:
            task = rows.tasks[answer.task_id]
            if answer.answer == "already" and task.slot is not None and answer.outcome in FINAL_OUTCOMES:
                rows.stages[task.job_id, task.revision][task.stage - 1].slots[task.slot].open -= 1
        return ended

    for module in (ends, tasks, jobs, effects):
        patch.setattr(module, "end_tasks", end_tasks)


def last_task_overlooked(patch: Patch) -> None:
    original = EngineState.finish_stage

    def finish_stage(self: EngineState, job: JobRow, number: int) -> list[FollowUp]:
        stage = self.stages[job.job_id, job.revision][number - 1]
        return [] if len(stage.slots) > 1 and stage.total % 2 else original(self, job, number)

    patch.setattr(EngineState, "finish_stage", finish_stage)


def effect_without_the_held_fence(patch: Patch) -> None:
    patch.setattr(InMemoryEffects, "_hold", lambda self, claim: None)


def lease_renewed_by_whoever_asks(patch: Patch) -> None:
    original = InMemoryTaskRepository._beat

    def beat(self: InMemoryTaskRepository, one: Any, until: datetime) -> BeatAnswer:
        return original(self, replace(one, fence=self._state.tasks[one.task_id].fence), until)

    patch.setattr(InMemoryTaskRepository, "_beat", beat)


def rescue_without_a_minimum_age(patch: Patch) -> None:
    def rescue(self: InMemoryTaskRepository, limit: int) -> Ended:
        held = sorted(self._state.leased)[:limit]
        claims = [TaskEnd(name, self._state.tasks[name].fence, Outcome.RESCUE) for name in held]
        return ends.end_tasks(self._state, claims)

    patch.setattr(InMemoryTaskRepository, "rescue", rescue)


def sweep_without_a_minimum_age(patch: Patch) -> None:
    def delete(self: OrphanDetector, template: PrefixTemplate, keys: Sequence[str]) -> Iterator[Step]:
        for key in keys:
            self.blobs.delete_blobs_by_prefix(template.container, template.of(key))
            yield Step("looked at", scanned=1)

    patch.setattr(OrphanDetector, "_delete_forsaken", delete)


def claim_in_a_pause(patch: Patch) -> None:
    original = InMemoryTaskRepository.claim

    def claim(self: InMemoryTaskRepository, request: ClaimRequest) -> Sequence[ClaimedTask]:
        kept, self._state.engine.paused_at = self._state.engine.paused_at, None
        try:
            return original(self, request)
        finally:
            self._state.engine.paused_at = kept

    patch.setattr(InMemoryTaskRepository, "claim", claim)


def claim_before_its_time(patch: Patch) -> None:
    def runnable(self: InMemoryTaskRepository, lane: str, start: Any) -> list[TaskRow]:
        return sorted((self._state.tasks[name] for name in self._state.queued[lane]), key=tasks._order)

    patch.setattr(InMemoryTaskRepository, "_runnable", runnable)


def deadline_that_a_snooze_extends(patch: Patch) -> None:
    original = ends.write_end

    def write_end(rows: EngineState, item: Decided) -> None:
        original(rows, item)
        if item.end.outcome is Outcome.SNOOZE:
            item.task.deadline = rows.clock.now() + timedelta(minutes=10)

    patch.setattr(ends, "write_end", write_end)


def results_without_the_last(patch: Patch) -> None:
    original = InMemoryTaskRepository.results

    def results(
        self: InMemoryTaskRepository, job_id: str, revision: int, stage: int, after: str, limit: int
    ) -> Sequence[TaskResult]:
        found = original(self, job_id, revision, stage, after, limit)
        return found[:-1] if len(found) > 5 else found

    patch.setattr(InMemoryTaskRepository, "results", results)


def reservation_kept_after_the_end(patch: Patch) -> None:
    original = EngineState.end_job

    def end_job(self: EngineState, job: JobRow, *facts: Any) -> list[FollowUp]:
        reserved = [row for row in self.artifacts if row.state == "reserved" and row.job_id == job.job_id]
        followed = original(self, job, *facts)
        for row in reserved:
            row.state = "reserved"
        return followed

    patch.setattr(EngineState, "end_job", end_job)


def blob_written_without_a_condition(patch: Patch) -> None:
    patch.setattr(publishing, "_conditioned", lambda intent, options: options)


def good_result_taken_for_something_left_over(patch: Patch) -> None:
    patch.setattr(
        BlobPublisher, "begin", lambda self, artifact: self.effects.begin_artifact(self.task, artifact)
    )

    def adopt(self: BlobPublisher, artifact: Any, ref: Any) -> str:
        return self.blobs.properties(ref).etag

    patch.setattr(BlobPublisher, "_adopt", adopt)


def claims_kept_alive_that_nobody_works_on(patch: Patch) -> None:
    def run_batch(self: CoreMachine, claimed: Sequence[ClaimedTask]) -> None:
        began = self.clock.monotonic()
        self._run_holds([self.heart.hold(task) for task in claimed])
        self._adapt(self._lanes[claimed[0].lane], self.clock.monotonic() - began)

    patch.setattr(CoreMachine, "_run_batch", run_batch)


def live_place_not_corrected(patch: Patch) -> None:
    patch.setattr(CleanUp, "_correct_live", lambda self, claim, record, live, former: None)


def late_clean_up_touches_a_later_revision(patch: Patch) -> None:
    def delete(self: CleanUp, record: ArtifactRecord) -> int:
        ref = parse_location(record.location)
        return int(self.blobs.delete(ref, if_match=self.blobs.properties(ref).etag))

    patch.setattr(CleanUp, "_delete_if_of", delete)


def revision_begun_while_the_last_is_cleaned_up(patch: Patch) -> None:
    original = jobs._answer_existing

    def answer(row: JobRow, job: Any) -> str:
        found = original(row, job)
        return "created" if found == "cleaning" else found

    patch.setattr(jobs, "_answer_existing", answer)


def owner_kept_beside_the_new_one(patch: Patch) -> None:
    original = InMemoryEffects._publish

    def publish(self: InMemoryEffects, task: ClaimedTask) -> None:
        former = [row for row in self._state.artifacts if row.state == "live"]
        original(self, task)
        for row in former:
            row.state = "live"

    patch.setattr(InMemoryEffects, "_publish", publish)


DELIBERATE_FAULTS: tuple[DeliberateFault, ...] = (
    DeliberateFault("A snooze leaves the fence as it was.", fence_kept_on_snooze),
    DeliberateFault("A task that a draining worker gives back keeps its fence.", fence_kept_on_drain),
    DeliberateFault("A rescue leaves the fence as it was.", fence_kept_on_rescue),
    DeliberateFault("A final end leaves the fence as it was.", fence_kept_on_end),
    DeliberateFault("A task's id does not depend on the revision.", task_id_without_revision),
    DeliberateFault("A retry is committed beside a stop.", retry_beside_a_stop),
    DeliberateFault("A plan is committed beside a stop.", plan_beside_a_stop),
    DeliberateFault("A plan becomes visible in two parts.", plan_visible_in_parts),
    DeliberateFault("The clean-up of a failed rerun touches what was live.", clean_up_touches_what_was_live),
    DeliberateFault(
        "A job ends, and is cleaned up after, while its tasks run.", clean_up_before_the_last_sibling_stopped
    ),
    DeliberateFault("A job with intermediates ends without a clean-up.", no_clean_up),
    DeliberateFault("A bell that comes early believes the lane's row.", early_bell_trusts_the_lane_row),
    DeliberateFault("A bell that finds nothing schedules none.", empty_bell_schedules_none),
    DeliberateFault(
        "Bells are rung before the commit, and none after.", bell_before_the_commit_and_none_after
    ),
    DeliberateFault(
        "Who repeats a call whose answer was lost does not ring.", bell_forgotten_when_an_answer_was_lost
    ),
    DeliberateFault(
        "A scheduled bell is not sent when the answer was lost.", scheduled_bell_forgotten_in_doubt
    ),
    DeliberateFault("A duplicate counts its slot down again.", slot_decremented_on_a_duplicate),
    DeliberateFault("The last task of a stage is not seen to be the last.", last_task_overlooked),
    DeliberateFault("An effect is committed without the held fence.", effect_without_the_held_fence),
    DeliberateFault("A lease is renewed by one who has lost it.", lease_renewed_by_whoever_asks),
    DeliberateFault(
        "A worker that gave up a batch goes on to beat for it.", claims_kept_alive_that_nobody_works_on
    ),
    DeliberateFault("The watchdog rescues leases that still hold.", rescue_without_a_minimum_age),
    DeliberateFault("A sweep deletes blobs of any age, of any job.", sweep_without_a_minimum_age),
    DeliberateFault("Tasks are claimed in a pause.", claim_in_a_pause),
    DeliberateFault("Tasks are claimed before their time.", claim_before_its_time),
    DeliberateFault("A snooze extends the deadline.", deadline_that_a_snooze_extends),
    DeliberateFault("A page of results lacks its last.", results_without_the_last),
    DeliberateFault("A job that ended keeps what it only reserved.", reservation_kept_after_the_end),
    DeliberateFault("Blobs are written without a condition.", blob_written_without_a_condition),
    DeliberateFault(
        "A writer that lost its claim takes a good result for something left over.",
        good_result_taken_for_something_left_over,
    ),
    DeliberateFault(
        "A clean-up that was overtaken deletes what a later revision wrote.",
        late_clean_up_touches_a_later_revision,
    ),
    DeliberateFault(
        "A revision begins while the last one is cleaned up.", revision_begun_while_the_last_is_cleaned_up
    ),
    DeliberateFault(
        "The record of a live place is not corrected when a rerun put its result there and failed.",
        live_place_not_corrected,
    ),
    DeliberateFault("A location keeps its former owner beside the new one.", owner_kept_beside_the_new_one),
)


@contextmanager
def broken(name: str) -> Iterator[None]:
    """Break a rule for a while, in this process."""
    [fault] = [fault for fault in DELIBERATE_FAULTS if fault.name == name]
    with pytest.MonkeyPatch.context() as patch:
        fault.apply(patch)
        yield
