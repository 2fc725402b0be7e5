"""Runs functions: blocking ones on a thread pool, `async def` ones on the event loop."""

import asyncio
import logging
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local.functions_host.context import InvocationContext, Trace, storage
from local.functions_host.logs import current_invocation
from local.functions_host.model import FunctionSpec
from local.functions_host.status import Status, StatusWriter

logger = logging.getLogger(__name__)


class Invoker:
    """Runs functions and knows which are running.

    Args:
        status: Where starts and ends are told, for the function timeout.
        directory: Of the app; functions can ask for it.
    """

    def __init__(self, pool: ThreadPoolExecutor, status: StatusWriter, directory: str) -> None:
        self._pool = pool
        self._status = status
        self._directory = directory
        self._idle = asyncio.Event()
        self._idle.set()
        self.running: dict[str, str] = {}

    async def invoke(self, function: FunctionSpec, data: Any, trace: Trace) -> Any:
        """Call `function` with the trigger's data and return what it returns.

        Raises:
            Exception: Whatever the function raises; it has been logged.
        """
        context = InvocationContext(str(uuid.uuid4()), function.name, self._directory, trace)
        arguments = {function.argument: data} | ({"context": context} if function.wants_context else {})
        self._started(context)
        try:
            return await self._call(function, arguments, context)
        except Exception:
            logger.exception(
                "function failed", extra={"function": function.name, "invocation_id": context.invocation_id}
            )
            raise
        finally:
            self._ended(context)

    async def _call(
        self, function: FunctionSpec, arguments: Mapping[str, Any], context: InvocationContext
    ) -> Any:
        if not function.is_async:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, _call_blocking, function, arguments, context)
        token = current_invocation.set(context.invocation_id)
        try:
            return await function.call(**arguments)
        finally:
            current_invocation.reset(token)

    def _started(self, context: InvocationContext) -> None:
        self.running[context.invocation_id] = context.function_name
        self._idle.clear()
        self._status.send(Status("started", context.invocation_id, context.function_name))

    def _ended(self, context: InvocationContext) -> None:
        del self.running[context.invocation_id]
        if not self.running:
            self._idle.set()
        self._status.send(Status("ended", context.invocation_id, context.function_name))

    async def wait_idle(self) -> None:
        """Return as soon as nothing runs."""
        await self._idle.wait()


def _call_blocking(function: FunctionSpec, arguments: Mapping[str, Any], context: InvocationContext) -> Any:
    storage.invocation_id = context.invocation_id
    try:
        return function.call(**arguments)
    finally:
        storage.invocation_id = None
