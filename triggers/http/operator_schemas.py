"""What operators are answered, as models: see `triggers.http.schemas`."""

from datetime import datetime
from typing import Any

from pydantic import Field

from core.json import JsonObject
from triggers.http.schemas import Answer, Pause


class Whole(Answer):
    """Base of lists that are answered whole, up to their limit."""

    next: None = Field(default=None, description="Always null: such a list has one page.")


class SchemaInList(Answer):
    """A schema of the app database."""

    name: str
    owner: str
    tables: int
    views: int
    nbytes: int


class TableInList(Answer):
    """A table or view."""

    schema_name: str = Field(validation_alias="schema", serialization_alias="schema")
    name: str
    kind: str
    estimated_rows: int | None = Field(description="As the statistics have it; null before the first ones.")
    nbytes: int


class Table(TableInList):
    """A table or view with its sizes and statistics."""

    owner: str
    comment: str | None
    readable: bool = Field(description="Whether the app's role may read its rows.")
    table_nbytes: int
    indexes_nbytes: int
    live_rows: int | None
    dead_rows: int | None
    sequential_scans: int | None
    index_scans: int | None
    last_vacuum: datetime | None
    last_autovacuum: datetime | None
    last_analyze: datetime | None
    last_autoanalyze: datetime | None


class Column(Answer):
    """A column of a table."""

    position: int
    name: str
    type: str
    nullable: bool
    default: str | None
    comment: str | None


class Columns(Whole):
    """A table's columns."""

    items: list[Column]


class Index(Answer):
    """An index of a table."""

    name: str
    definition: str
    method: str
    is_primary: bool
    is_unique: bool
    is_valid: bool
    nbytes: int
    scans: int


class Indexes(Whole):
    """A table's indexes."""

    items: list[Index]


class TableSample(Whole):
    """A few rows of a table."""

    columns: list[str]
    columns_left_out: int = Field(description="Columns behind the last one that is shown.")
    items: list[JsonObject] = Field(description="By column; long values are cut, secrets hidden.")


class RunningQuery(Answer):
    """A session that is at work."""

    pid: int
    user: str | None
    application: str | None
    client: str | None
    state: str | None
    started_at: datetime | None
    transaction_started_at: datetime | None
    seconds: float | None
    wait_event_type: str | None
    wait_event: str | None
    blocked_by: list[int]
    query: str = Field(description="Without the values in it.")


class RunningQueries(Whole):
    """Sessions that are at work, the longest first."""

    items: list[RunningQuery]


class SlowQuery(Answer):
    """A statement and the time that it took."""

    query: str
    calls: int
    rows: int
    total_seconds: float
    mean_seconds: float
    longest_seconds: float
    blocks_read: int
    temp_blocks_written: int


class SlowQueries(Whole):
    """Statements by the time that they took in all."""

    available: bool
    explanation: str | None = Field(description="What is missing, and how to get it.")
    items: list[SlowQuery]


class LockWait(Answer):
    """A session that waits for a lock, and one that is in its way."""

    pid: int
    user: str | None
    application: str | None
    kind: str
    mode: str
    relation: str | None
    seconds: float | None
    query: str
    holder_pid: int | None
    holder_user: str | None
    holder_application: str | None
    holder_state: str | None
    holder_transaction_seconds: float | None
    holder_query: str = Field(description="The last statement of the holder, not always the one that locked.")


class LockWaits(Whole):
    """Who waits for whom, the longest wait first."""

    items: list[LockWait]


class ConnectionGroup(Answer):
    """Sessions of one application in one state."""

    database: str | None
    user: str | None
    application: str | None
    state: str | None
    connections: int
    oldest_seconds: float | None
    longest_transaction_seconds: float | None


class Connections(Whole):
    """The server's sessions."""

    most: int
    reserved: int
    used: int
    items: list[ConnectionGroup]


class DeadRows(Answer):
    """A table in which vacuum has work to do."""

    table: str
    live_rows: int
    dead_rows: int
    vacuumed_at: datetime | None


class DatabaseHealth(Answer):
    """The numbers by which a database is judged, and the judgement."""

    status: str = Field(description="healthy, or degraded with its reasons.")
    reasons: list[str]
    version: str
    in_recovery: bool
    uptime_seconds: float
    nbytes: int
    deadlocks: int
    temp_files: int
    temp_nbytes: int
    commits: int
    rollbacks: int
    stats_reset: datetime | None
    cache_hit_ratio: float | None
    transaction_id_age: int
    longest_transaction_seconds: float | None
    waiting_for_locks: int
    most_dead_rows: list[DeadRows]


class JobCount(Answer):
    """Jobs of one type in one state."""

    job_type: str
    status: str
    jobs: int
    oldest: datetime
    newest: datetime


class LaneCount(Answer):
    """What a lane has to do."""

    lane: str
    bell_at: datetime | None
    last_claim_at: datetime | None
    queued: int
    runnable: int
    oldest_turn: datetime | None
    processing: int
    silent: int = Field(description="Processing tasks whose lease has run out.")


class ArtifactCount(Answer):
    """Artifacts of one kind in one state."""

    kind: str
    role: str
    state: str
    artifacts: int
    nbytes: int


class Stats(Answer):
    """How much there is of everything."""

    jobs: list[JobCount]
    lanes: list[LaneCount]
    artifacts: list[ArtifactCount]


class Violation(Answer):
    """A row that is older than its law allows."""

    code: str
    job_id: str | None
    task_id: str | None
    overdue_seconds: float | None
    what: str


class Migration(Answer):
    """A migration that was applied."""

    name: str
    applied_at: datetime


class Migrations(Answer):
    """What was applied to the database, and what this release would add."""

    applied: list[Migration]
    pending: list[str]


class Diagnostics(Answer):
    """Everything that an operator asks first, in one answer."""

    version: str
    catalogue_version: str | None
    pause: Pause
    violations: list[Violation]
    database: DatabaseHealth
    stats: Stats
    connections: Connections
    running: RunningQueries
    slow: SlowQueries
    locks: LockWaits
    migrations: Migrations


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
