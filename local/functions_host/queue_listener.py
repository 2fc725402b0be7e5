"""Receives messages of one queue and runs a function for each.

Each running invocation has a receiver of its own, used by one coroutine at a time: the SDK's
receivers are not safe to share, and a receiver that waits for messages delays settlements by its
socket time-out. One receiver listens when nothing is there to do; another one is opened each time
the last idle one has got a message, until `maxConcurrentCalls` are busy.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import ServiceBusError

from local.functions_host.context import continue_trace
from local.functions_host.host_json import ServiceBusOptions
from local.functions_host.invocation import Invoker
from local.functions_host.messages import decode_message, text_keys
from local.functions_host.model import FunctionSpec, QueueTrigger
from local.functions_host.settings import ServiceBusConnection

logger = logging.getLogger(__name__)

# Bounds how long a drain waits for receivers that got nothing.
RECEIVE_WAIT = timedelta(seconds=1)
IDLE_RECEIVER_LIFE = timedelta(seconds=30)
FIRST_BACKOFF = timedelta(milliseconds=500)
LONGEST_BACKOFF = timedelta(seconds=10)

# What the SDK raises for a broker that is away, for a lock that is lost, and (the last two) for a
# receiver whose connection ended meanwhile.
BROKER_ERRORS = (ServiceBusError, OSError, TimeoutError, ValueError, AttributeError)


class QueueListener:
    """Listens on the queue of one function until it is stopped."""

    def __init__(self, function: FunctionSpec, options: ServiceBusOptions, invoker: Invoker) -> None:
        if not isinstance(function.trigger, QueueTrigger):
            raise TypeError(f"{function.name} has no queue trigger")
        self._function = function
        self._trigger = function.trigger
        self._options = options
        self._invoker = invoker
        self._stopping = asyncio.Event()
        self._slots: set[asyncio.Task[None]] = set()
        self._listening = 0
        self._unreachable = False

    def start(self) -> None:
        """Open the first receiver in the background; it keeps trying while the broker is away."""
        self._add_slot()

    def stop(self) -> None:
        """Receive no more; what is running goes on and is settled."""
        self._stopping.set()

    async def wait_closed(self) -> None:
        """Return when the last message is settled and all receivers are closed."""
        while self._slots:
            await asyncio.wait(self._slots)

    def _add_slot(self) -> None:
        if self._stopping.is_set() or len(self._slots) >= self._options.max_concurrent_calls:
            return
        slot = asyncio.create_task(self._run_slot(), name=f"queue {self._trigger.queue}")
        self._listening += 1
        self._slots.add(slot)
        slot.add_done_callback(self._slots.discard)

    async def _run_slot(self) -> None:
        backoff = FIRST_BACKOFF
        while not self._stopping.is_set():
            try:
                await self._listen()
                break
            except Exception as error:  # noqa: BLE001 - whatever ended a receiver, another one is opened.
                self._lost(error)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff.total_seconds())
            backoff = min(backoff * 2, LONGEST_BACKOFF)
        self._listening -= 1

    async def _listen(self) -> None:
        prefetch = math.ceil(self._options.prefetch_count / self._options.max_concurrent_calls)
        async with (
            _connect(self._trigger.connection) as client,
            client.get_queue_receiver(self._trigger.queue, prefetch_count=prefetch) as receiver,
        ):
            self._reached()
            await self._receive_all(receiver)

    def _reached(self) -> None:
        if self._unreachable:
            logger.info("queue reachable again", extra={"queue": self._trigger.queue})
        self._unreachable = False

    def _lost(self, error: BaseException) -> None:
        # Several receivers lose the same broker; one warning is enough.
        if not self._unreachable:
            details = {"queue": self._trigger.queue, "error": f"{type(error).__name__}: {error}"}
            logger.warning("queue unreachable", extra=details)
        self._unreachable = True

    async def _receive_all(self, receiver: ServiceBusReceiver) -> None:
        last_message = datetime.now(UTC)
        while not self._stopping.is_set():
            messages = await receiver.receive_messages(1, max_wait_time=RECEIVE_WAIT.total_seconds())
            if messages:
                self._listening -= 1
                if self._listening == 0:
                    self._add_slot()
                try:
                    await self._process(receiver, messages[0])
                finally:
                    self._listening += 1
                last_message = datetime.now(UTC)
            elif self._listening > 1 and datetime.now(UTC) - last_message > IDLE_RECEIVER_LIFE:
                break

    async def _process(self, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage) -> None:
        if self._stopping.is_set():
            await self._settle(receiver.abandon_message, message)
            return
        invocation = asyncio.create_task(self._invoke(message))
        await self._keep_locked(receiver, message, invocation)
        if not await invocation:
            await self._settle(receiver.abandon_message, message)
        elif self._options.auto_complete:
            await self._settle(receiver.complete_message, message)

    async def _invoke(self, message: ServiceBusReceivedMessage) -> bool:
        properties = text_keys(message.application_properties or {})
        trace = continue_trace(properties.get("traceparent") or properties.get("Diagnostic-Id"))
        try:
            await self._invoker.invoke(self._function, decode_message(message), trace)
        except Exception as error:  # noqa: BLE001 - whatever the function raises gives the message back.
            details = {"queue": self._trigger.queue, "message_id": message.message_id, "error": repr(error)}
            logger.warning("message abandoned", extra=details)
            return False
        return True

    async def _keep_locked(
        self, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage, invocation: asyncio.Task[bool]
    ) -> None:
        end = datetime.now(UTC) + self._options.max_lock_renewal
        while not invocation.done():
            await asyncio.wait({invocation}, timeout=_renew_in(message, end))
            now = datetime.now(UTC)
            if invocation.done() or now >= end or now >= (message.locked_until_utc or now):
                break
            await self._renew(receiver, message)
        await asyncio.wait({invocation})

    async def _renew(self, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage) -> None:
        try:
            await receiver.renew_message_lock(message)
        except BROKER_ERRORS as error:
            details = {"queue": self._trigger.queue, "message_id": message.message_id, "error": str(error)}
            logger.warning("lock not renewed", extra=details)

    async def _settle(
        self,
        operation: Callable[[ServiceBusReceivedMessage], Awaitable[None]],
        message: ServiceBusReceivedMessage,
    ) -> None:
        try:
            await operation(message)
        except BROKER_ERRORS as error:
            # The broker delivers the message again, as it does when the real host cannot settle.
            details = {"queue": self._trigger.queue, "message_id": message.message_id, "error": str(error)}
            logger.warning("message not settled", extra=details)


def _renew_in(message: ServiceBusReceivedMessage, end: datetime) -> float:
    """Return the seconds until half of the lock's remaining time is over, or renewal ends."""
    now = datetime.now(UTC)
    locked_until = message.locked_until_utc or now
    wait = max((locked_until - now) / 2, timedelta(seconds=1))
    return max(min(wait, end - now), timedelta(0)).total_seconds()


@asynccontextmanager
async def _connect(connection: ServiceBusConnection) -> AsyncIterator[ServiceBusClient]:
    # Errors come up after one retry: this module's own backoff is logged and ends with a drain.
    async with AsyncExitStack() as stack:
        if connection.connection_string:
            client = ServiceBusClient.from_connection_string(connection.connection_string, retry_total=1)
        else:
            credential = _credential(connection)
            await stack.enter_async_context(credential)
            client = ServiceBusClient(connection.namespace or "", credential, retry_total=1)
        yield await stack.enter_async_context(client)


def _credential(connection: ServiceBusConnection) -> ManagedIdentityCredential | DefaultAzureCredential:
    if connection.credential == "managedidentity":
        return ManagedIdentityCredential(client_id=connection.client_id)
    return DefaultAzureCredential()
