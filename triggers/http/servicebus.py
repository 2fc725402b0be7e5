"""For operators: what lies in the queues, looked at and left there."""

import json
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import azure.functions as func
from pydantic import TypeAdapter

from core.errors import NotFound
from core.machine import LANES
from core.ports.queue import BusMessage
from triggers.bootstrap import app
from triggers.http import codes
from triggers.http.endpoints import Contract, Reply, Resource
from triggers.http.paging import PageQuery, page, start
from triggers.http.requests import Call, Query
from triggers.http.schemas import Page
from triggers.http.servicebus_schemas import Message, QueueCounts, Queues

resource = Resource("Queues", "For operators: messages in the lanes' queues; none is consumed.")

# Counting means looking at each message: exact counts would take rights to manage the namespace.
_COUNTED_UP_TO = 1_000
_MOST_BODY_CHARACTERS = 2_000
_SEQUENCE_NUMBER: TypeAdapter[int] = TypeAdapter(int)
_ADMIN = func.AuthLevel.ADMIN
_MESSAGES = Contract(
    query=PageQuery,
    answers={HTTPStatus.OK: Page[Message]},
    problems=(HTTPStatus.NOT_FOUND,),
    level=_ADMIN,
)


@resource.route(
    "GET", "servicebus/queues", Contract(query=Query, answers={HTTPStatus.OK: Queues}, level=_ADMIN)
)
def list_queues(call: Call[Query]) -> Reply:  # noqa: ARG001 - every route is given its call
    """Count the messages of the lanes' queues, up to 1,000 of each kind."""
    return Reply(Queues(items=[_counts(lane) for lane in LANES]))


@resource.route(
    "GET",
    "servicebus/queues/{queue}",
    Contract(
        query=Query, answers={HTTPStatus.OK: QueueCounts}, problems=(HTTPStatus.NOT_FOUND,), level=_ADMIN
    ),
)
def get_queue(call: Call[Query]) -> Reply:
    """Count the messages of one queue, up to 1,000 of each kind."""
    return Reply(_counts(_lane(call)))


@resource.route("GET", "servicebus/queues/{queue}/peek", _MESSAGES)
def peek_queue(call: Call[PageQuery]) -> Reply:
    """List messages that wait or are scheduled, the oldest first; none is consumed."""
    return _messages(call, dead_letters=False)


@resource.route("GET", "servicebus/queues/{queue}/deadletter", _MESSAGES)
def peek_dead_letters(call: Call[PageQuery]) -> Reply:
    """List dead letters with their reasons, the oldest first; none is consumed."""
    return _messages(call, dead_letters=True)


def _names() -> dict[str, str]:
    bus = app().settings.bus
    return {bus.light_queue: "light", bus.heavy_queue: "heavy"}


def _lane(call: Call[Any]) -> str:
    queue = call.http.route_params["queue"]
    lane = _names().get(queue)
    if lane is None:
        raise NotFound(
            codes.QUEUE_UNKNOWN, f"{queue[:100]!r} is no queue of this app; there are: {', '.join(_names())}."
        )
    return lane


def _counts(lane: str) -> QueueCounts:
    found = app().queue.peek(lane, _COUNTED_UP_TO + 1)
    dead = app().queue.peek(lane, _COUNTED_UP_TO + 1, dead_letters=True)
    now = datetime.now(UTC)
    scheduled = sum(_is_scheduled(message, now) for message in found[:_COUNTED_UP_TO])
    return QueueCounts(
        name=next(name for name, its in _names().items() if its == lane),
        lane=lane,
        waiting=min(len(found), _COUNTED_UP_TO) - scheduled,
        scheduled=scheduled,
        dead_letters=min(len(dead), _COUNTED_UP_TO),
        counted_up_to=_COUNTED_UP_TO,
        complete=max(len(found), len(dead)) <= _COUNTED_UP_TO,
    )


def _is_scheduled(message: BusMessage, now: datetime) -> bool:
    return message.scheduled_for is not None and message.scheduled_for > now


def _messages(call: Call[PageQuery], *, dead_letters: bool) -> Reply:
    lane = _lane(call)
    after = start(call.query, _SEQUENCE_NUMBER) or 0
    found = app().queue.peek(lane, call.query.limit + 1, dead_letters=dead_letters, after=after)
    return Reply(page(call, found, _shown, lambda message: message.sequence_number))


def _shown(message: BusMessage) -> Message:
    return Message(
        sequence_number=message.sequence_number,
        body=_body(message.body),
        enqueued_at=message.enqueued_at,
        scheduled_for=message.scheduled_for,
        delivery_count=message.delivery_count,
        dead_letter_reason=message.dead_letter_reason,
    )


def _body(text: str) -> Any:
    """Return a bell as the object that it is, anything else as a text that is cut."""
    try:
        body = json.loads(text)
    except ValueError:
        return text[:_MOST_BODY_CHARACTERS]
    return body if len(text) <= _MOST_BODY_CHARACTERS else text[:_MOST_BODY_CHARACTERS]
