"""Error codes that only a request over HTTP can meet."""

from core.errors import ErrorCode

JOB_ID_INVALID = ErrorCode(
    "request.job_id_invalid",
    "That is no job id",
    "A job id has 64 hexadecimal digits; GET /api/jobs lists jobs.",
)
SCHEMA_UNKNOWN = ErrorCode(
    "schema.unknown", "No such schema", "GET /api/dbadmin/schemas lists those that may be looked at."
)
TABLE_UNKNOWN = ErrorCode(
    "table.unknown",
    "No such table",
    "Name it schema.table; GET /api/dbadmin/schemas/{schema}/tables lists a schema's tables.",
)
TABLE_UNREADABLE = ErrorCode(
    "table.unreadable",
    "The table's rows cannot be read",
    "Read what the database says in `detail`; its owner can grant SELECT to the app's role.",
)
QUEUE_UNKNOWN = ErrorCode("queue.unknown", "No such queue", "GET /api/servicebus/queues lists the queues.")
MAINTENANCE_UNCONFIRMED = ErrorCode(
    "maintenance.unconfirmed",
    "This destroys data and was not confirmed",
    "Read in `detail` what would be lost; add `confirm=yes` if it is meant.",
)
MAINTENANCE_NOT_CONFIGURED = ErrorCode(
    "maintenance.not_configured",
    "This app may not rebuild its database",
    "Set MAINTENANCE_USER to the role that owns the schemas.",
)
NOT_READY = ErrorCode(
    "service.not_ready",
    "The service is not ready",
    "Try again after the time in `Retry-After`; /api/health shows each component.",
    retryable=True,
)
INTERNAL_ERROR = ErrorCode(
    "internal.error",
    "An unexpected error",
    "This is a bug: report it with the reference in `detail`, under which the log has it.",
)
