"""The management node of an entity: locks, deferred and scheduled messages, and a look without touching."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from proton import UNDESCRIBED, Array, Data, Message, int32, symbol, timestamp

from local.servicebus.errors import InvalidArgument, NotSupported, ServiceBusError
from local.servicebus.message import Message as StoredMessage
from local.servicebus.message import milliseconds, parse_message
from local.servicebus.queue import Queue
from local.servicebus.requests import properties

logger = logging.getLogger(__name__)

Body = dict[str, Any]

# proton's own marker, which its types do not admit.
_UNDESCRIBED: Any = UNDESCRIBED
_VENDOR = "com.microsoft:"
_NO_CONTENT = 204
# An answer with many large messages is cut here; the client asks again from where it ended.
_PEEK_BYTES = 1024 * 1024


class Management:
    """Answers the requests about one queue or sub-queue."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._operations: Mapping[str, Callable[[Body], Body]] = {
            "renew-lock": self._renew_lock,
            "peek-message": self._peek,
            "schedule-message": self._schedule,
            "cancel-scheduled-message": self._cancel_scheduled,
            "receive-by-sequence-number": self._receive_deferred,
            "update-disposition": self._update_disposition,
        }

    def answer(self, request: Message) -> Message:
        """Do what a request asks; the answer says what came of it."""
        operation = str(properties(request).get("operation", "")).removeprefix(_VENDOR)
        asked: Any = request.body
        try:
            body = self._perform(operation, asked)
        except ServiceBusError as error:
            logger.warning(
                "request refused",
                extra={"queue": self._queue.name, "operation": operation, "condition": error.condition},
            )
            return _answer(error.status, str(error), None, errorCondition=symbol(error.condition))
        if body == {"messages": []}:
            return _answer(_NO_CONTENT, "No Content", None)
        return _answer(200, "OK", body)

    def _perform(self, operation: str, asked: Body) -> Body:
        if operation not in self._operations:
            raise NotSupported(f"the emulator does not know the operation {operation!r}")
        try:
            return self._operations[operation](asked)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidArgument(f"{operation}: {error!r} in {asked!r:.200}") from error

    def _renew_lock(self, body: Body) -> Body:
        ends = [self._queue.renew(token) for token in _tokens(body)]
        return {"expirations": _timestamps(ends)}

    def _peek(self, body: Body) -> Body:
        messages = self._queue.peek(int(body["from-sequence-number"]), int(body["message-count"]))
        encoded = _up_to(_PEEK_BYTES, (message.encode() for message in messages))
        return {"messages": [{"message": payload} for payload in encoded]}

    def _schedule(self, body: Body) -> Body:
        contents = [parse_message(bytes(item["message"])) for item in body["messages"]]
        return {"sequence-numbers": _longs([self._queue.send(content) for content in contents])}

    def _cancel_scheduled(self, body: Body) -> Body:
        self._queue.cancel_scheduled(body["sequence-numbers"])
        return {}

    def _receive_deferred(self, body: Body) -> Body:
        # Receiver settle mode 0, "first", is how receive and delete is asked for.
        lock = bool(int(body["receiver-settle-mode"]))
        messages = self._queue.receive_deferred(body["sequence-numbers"], lock=lock)
        return {"messages": [_deferred(message) for message in messages]}

    def _update_disposition(self, body: Body) -> Body:
        settle = _SETTLEMENTS.get(body["disposition-status"])
        if settle is None:
            raise NotSupported(f"the emulator does not know the disposition {body['disposition-status']!r}")
        for token in _tokens(body):
            settle(self._queue, token, body)
        return {}


def _answer(status: int, description: str, body: Body | None, **more: Any) -> Message:
    return Message(
        body=body, properties={"statusCode": int32(status), "statusDescription": description, **more}
    )


def _tokens(body: Body) -> list[bytes]:
    """Return the lock tokens: GUIDs, whose bytes in .NET's order are the tags of the deliveries."""
    return [UUID(str(token)).bytes_le for token in body["lock-tokens"]]


def _deferred(message: StoredMessage) -> Body:
    token = {"lock-token": UUID(bytes_le=message.lock_token)} if message.lock_token else {}
    return {"message": message.encode(), **token}


def _up_to(limit: int, payloads: Iterable[bytes]) -> list[bytes]:
    taken: list[bytes] = []
    for payload in payloads:
        limit -= len(payload)
        if limit < 0 and taken:
            break
        taken.append(payload)
    return taken


def _timestamps(instants: Iterable[datetime]) -> Array:
    return Array(_UNDESCRIBED, Data.TIMESTAMP, *(timestamp(milliseconds(instant)) for instant in instants))


def _longs(numbers: Iterable[int]) -> Array:
    return Array(_UNDESCRIBED, Data.LONG, *numbers)


def _changes(body: Body) -> Body:
    return {str(name): value for name, value in (body.get("properties-to-modify") or {}).items()}


def _dead_letter(queue: Queue, token: bytes, body: Body) -> None:
    said = {
        "DeadLetterReason": body.get("deadletter-reason"),
        "DeadLetterErrorDescription": body.get("deadletter-description"),
    }
    reason = {name: text for name, text in said.items() if text}
    queue.dead_letter(token, {**_changes(body), **reason})


# The spelling of "defered" is that of the protocol.
_SETTLEMENTS: Mapping[str, Callable[[Queue, bytes, Body], None]] = {
    "completed": lambda queue, token, _: queue.complete(token),
    "abandoned": lambda queue, token, body: queue.abandon(token, _changes(body)),
    "defered": lambda queue, token, body: queue.defer(token, _changes(body)),
    "suspended": _dead_letter,
}
