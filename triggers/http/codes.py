"""Error codes that only a request over HTTP can meet."""

from core.errors import ErrorCode

JOB_ID_INVALID = ErrorCode(
    "request.job_id_invalid",
    "That is no job id",
    "A job id has 64 hexadecimal digits; GET /api/jobs lists jobs.",
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
