"""A stage's ledger counted anew from its tasks, in memory."""

from collections import Counter
from collections.abc import Mapping

from infrastructure.memory.rows import JobRow, SlotRow, StageRow
from infrastructure.memory.state import EngineState


def tallied(state: EngineState, job: JobRow, number: int) -> dict[int, SlotRow]:
    """Return what the slots of a stage should say."""
    found: dict[int, Counter[str]] = {}
    for task in state.tasks_of(job.job_id, job.revision):
        if task.kind == "work" and task.stage == number and task.slot is not None:
            status = "open" if task.completed_at is None else task.status.value
            found.setdefault(task.slot, Counter())[status] += 1
    return {
        slot: SlotRow(counts["open"], counts["completed"], counts["failed"], counts["cancelled"])
        for slot, counts in found.items()
    }


def agrees(stage: StageRow, tally: Mapping[int, SlotRow]) -> bool:
    """Return whether a stage's ledger says what its tasks say."""
    slots, open_slots, rows = _ledger(stage, tally)
    return (stage.slots, stage.open_slots, stage.total) == (slots, open_slots, rows)


def recount(stage: StageRow, tally: Mapping[int, SlotRow]) -> bool:
    """Set a stage's ledger by its tasks; return whether it was wrong.

    A total above the rows stays: tasks that were planned are missing, and mending says so.
    """
    slots, open_slots, rows = _ledger(stage, tally)
    wrong = (stage.slots, stage.open_slots) != (slots, open_slots) or stage.total < rows
    stage.slots, stage.open_slots = slots, open_slots
    stage.total = max(stage.total, rows)
    return wrong


def _ledger(stage: StageRow, tally: Mapping[int, SlotRow]) -> tuple[list[SlotRow], int, int]:
    number = max(max(tally, default=-1) + 1, len(stage.slots))
    slots = [tally.get(slot, SlotRow(0)) for slot in range(number)]
    open_slots = sum(slot.open > 0 for slot in slots)
    return slots, open_slots, sum(s.open + s.completed + s.failed + s.cancelled for s in slots)
