"""Log records of host and app on standard error, one line each."""

import logging
from contextvars import ContextVar
from datetime import UTC, datetime

from local.functions_host.context import storage

current_invocation: ContextVar[str | None] = ContextVar("current_invocation", default=None)

_PLAIN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

# The SDK tells of every link and token at INFO.
_QUIET = ("azure.servicebus", "azure.core", "azure.identity")


class LineFormatter(logging.Formatter):
    """Time, level, logger, invocation, message, and what was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with the traceback below it if there is one."""
        invocation = storage.invocation_id or current_invocation.get()
        extras = {name: value for name, value in vars(record).items() if name not in _PLAIN_ATTRIBUTES}
        parts = [
            datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            record.levelname,
            record.name,
            *([f"[{invocation}]"] if invocation else []),
            record.getMessage(),
            *(f"{name}={value}" for name, value in extras.items()),
        ]
        text = " ".join(parts)
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def configure_logging() -> None:
    """Send every record from INFO up to standard error, before the app is imported."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
