"""What the database may raise in any of the apps, and what is answered then."""

import logging

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from infrastructure.api_pools import REFUSED, UNAVAILABLE

logger = logging.getLogger(__name__)


def add_database_failures(app: FastAPI) -> None:
    """Let an app answer 503 when the database does not answer, and 400 for what it cannot take."""
    for unavailable in UNAVAILABLE:
        app.add_exception_handler(unavailable, _unavailable)
    for refused in REFUSED:
        app.add_exception_handler(refused, _refused)


def add_unreadable(app: FastAPI, *errors: type[Exception]) -> None:
    """Let an app answer 400 for errors that only what a client sent can cause."""
    for error in errors:
        app.add_exception_handler(error, _refused)


def quieten(logger_name: str) -> None:
    """Keep a library from logging as errors what a client asked wrongly.

    It logs every exception that it answers, with 404 as with 500. `ProblemBodies` logs what is
    answered with 500, and the exception itself is kept beside at DEBUG.
    """
    logging.getLogger(logger_name).addFilter(_as_debug)


def _as_debug(record: logging.LogRecord) -> bool:
    record.levelno, record.levelname = logging.DEBUG, logging.getLevelName(logging.DEBUG)
    return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


async def _unavailable(_request: Request, error: Exception) -> Response:
    logger.warning("database unavailable", extra={"reason": str(error)})
    return JSONResponse({"detail": f"The database does not answer: {type(error).__name__}."}, 503)


async def _refused(_request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error).splitlines()[0] if str(error) else type(error).__name__}, 400)
