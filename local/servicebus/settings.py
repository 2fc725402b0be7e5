"""The entities of the namespace, from the file that `deploy/` creates the real ones from."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class QueueProperties(BaseModel):
    """Settings of a queue: names, meaning and defaults of `Microsoft.ServiceBus/namespaces/queues`."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    lock_duration: timedelta = Field(default=timedelta(minutes=1), gt=timedelta(0), le=timedelta(minutes=5))
    default_message_time_to_live: timedelta | None = None
    dead_lettering_on_message_expiration: bool = False
    max_delivery_count: int | None = Field(default=10, ge=1)
    # Not emulated, so that a file which asks for it is refused instead of misunderstood.
    requires_duplicate_detection: Literal[False] = False


class QueueEntity(BaseModel):
    """A queue by its name, which is compared without regard to case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=260)
    properties: QueueProperties = QueueProperties()


class Entities(BaseModel):
    """Everything that the namespace holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    queues: tuple[QueueEntity, ...]


def load_entities(path: Path) -> Entities:
    """Read the entities file.

    Raises:
        pydantic.ValidationError: Something in it is unknown, wrong or not emulated.
    """
    return Entities.model_validate_json(path.read_text(encoding="utf-8"))
