"""Log records as JSON lines: the Functions worker forwards only a record's formatted message."""

import json
import logging
from typing import Any, Final

from core.logs import bound

# What every record has; whatever else it carries came through `extra`.
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Renders event, logger, level, the fields of the running task and `extra` as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        fields: dict[str, Any] = {
            "event": record.getMessage(),
            "logger": record.name,
            "level": record.levelname.lower(),
            **bound(),
            **{name: value for name, value in record.__dict__.items() if name not in _STANDARD},
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False, default=str)


# These say at INFO what every request and every link did.
_CHATTY: Final = ("azure", "urllib3", "psycopg.pool")


def configure() -> None:
    """Give the handlers that the host installed the JSON form; add none, or each line comes twice."""
    root = logging.getLogger()
    for handler in root.handlers:
        handler.setFormatter(JsonFormatter())
    if root.level in (logging.NOTSET, logging.WARNING):
        root.setLevel(logging.INFO)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
