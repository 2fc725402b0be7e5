"""The pause: nothing is claimed for a while, and no bell that came meanwhile is missed."""

from dataclasses import dataclass
from datetime import datetime

from core.bells import Bells
from core.machine import LANES
from core.ports.engine import TaskRepository


@dataclass(frozen=True)
class Pause:
    """Stops and starts the claiming of tasks.

    Args:
        tasks: Where the pause is recorded.
        bells: For what waits when it ends.
    """

    tasks: TaskRepository
    bells: Bells

    def begin(self, reason: str, by: str, until: datetime | None) -> None:
        """Let nothing be claimed until `resume` or `until`."""
        self.tasks.pause(reason, by, until)
        if until is not None:
            # The bells of what waits may have come during an earlier pause without an end.
            for lane in LANES:
                self.bells.schedule(lane)

    def resume(self) -> None:
        """Let tasks be claimed again, and ring every lane."""
        self.tasks.resume()
        for lane in LANES:
            # One bell where nothing is runnable yet: the lane's scheduled one may have come too early.
            self.bells.ring(lane, max(1, self.tasks.runnable(lane, self.bells.most)))
