"""What operators are answered of what they had done, as models: see `triggers.http.schemas`."""

from datetime import datetime

from pydantic import Field

from core.json import JsonObject
from triggers.http.schemas import Answer


class RebuildStep(Answer):
    """A step of a rebuild."""

    name: str
    seconds: float


class Rebuilt(Answer):
    """What a rebuild found and did."""

    operation: str
    schemas: list[str]
    before: dict[str, int] = Field(description="Rows by table, before.")
    archive: str | None = Field(description="Container and blob of the JSON lines with what was kept.")
    kept: dict[str, int] = Field(description="Rows by table in the archive.")
    restored: dict[str, int] = Field(description="Rows by table that were read back from it.")
    lost_artifacts: int = Field(description="Published items and tables that went with their schema.")
    unpublished_jobs: int = Field(description="Their jobs, which can be submitted again.")
    sessions_ended: int | None = Field(
        description="Sessions of the app that were ended; null: the role may not, restart the app."
    )
    steps: list[RebuildStep]


class CleanedUp(Answer):
    """What a clean-up of old rows came to."""

    run_id: int
    status: str = Field(description="skipped: another sweep was at work for too long; try again.")
    days: int
    removed: int
    started_at: datetime
    ended_at: datetime | None
    actions: list[JsonObject]
    error: JsonObject | None
