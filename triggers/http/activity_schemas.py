"""What operators are answered of what the database does, as models: see `triggers.http.schemas`."""

from datetime import datetime

from pydantic import Field

from triggers.http.schemas import Answer, Pause, Whole


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
