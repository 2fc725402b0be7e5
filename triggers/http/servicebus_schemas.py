"""What operators are answered of the lanes' queues, as models: see `triggers.http.schemas`."""

from datetime import datetime
from typing import Any

from pydantic import Field

from triggers.http.schemas import Answer, Whole


class QueueCounts(Answer):
    """How many messages a queue has, counted by looking at them."""

    name: str
    lane: str
    waiting: int = Field(description="Messages that can be received, or are locked by a receiver.")
    scheduled: int
    dead_letters: int
    counted_up_to: int = Field(description="Where counting ends.")
    complete: bool = Field(description="False: there are more than were counted.")


class Queues(Whole):
    """The lanes' queues."""

    items: list[QueueCounts]


class Message(Answer):
    """A message as it lies in its queue."""

    sequence_number: int
    body: Any
    enqueued_at: datetime | None
    scheduled_for: datetime | None
    delivery_count: int
    dead_letter_reason: str | None
