"""The `context` argument of a function."""

import re
import secrets
import threading
from dataclasses import dataclass, field

import azure.functions as func
from azure.functions._abc import RetryContext, RpcException, TraceContext

_TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-[0-9a-f]{16}-(?P<flags>[0-9a-f]{2})"
)


class InvocationStorage(threading.local):
    """Thread-local `invocation_id`; logging from an app's own threads is told apart by it."""

    invocation_id: str | None = None


# One for the whole process, as in the real worker.
storage = InvocationStorage()


@dataclass(frozen=True)
class Trace(TraceContext):
    """W3C trace context of an invocation."""

    parent: str
    state: str = ""

    @property
    def trace_parent(self) -> str:
        """Value for a `traceparent` header."""
        return self.parent

    # The name is the library's, misspelt there too in older releases.
    @property
    def Traceparent(self) -> str:  # noqa: N802 - the platform's name
        """Former name of `trace_parent`, still in use."""
        return self.parent

    @property
    def trace_state(self) -> str:
        """Value for a `tracestate` header."""
        return self.state

    @property
    def Tracestate(self) -> str:  # noqa: N802 - the platform's name
        """Former name of `trace_state`."""
        return self.state

    @property
    def attributes(self) -> dict[str, str]:
        """The host adds none."""
        return {}


def continue_trace(traceparent: str | None, tracestate: str | None = None) -> Trace:
    """Return a span of the caller's trace, or of a new one if the caller sent none that is valid."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    span = secrets.token_hex(8)
    if match is None or match["version"] == "ff":
        return Trace(f"00-{secrets.token_hex(16)}-{span}-00")
    return Trace(f"00-{match['trace']}-{span}-{match['flags']}", tracestate or "")


class NoRetries(RetryContext):
    """Retry policies are not served, so each invocation is the first."""

    @property
    def retry_count(self) -> int:
        """Always 0."""
        return 0

    @property
    def max_retry_count(self) -> int:
        """Always 0."""
        return 0

    @property
    def exception(self) -> RpcException | None:  # type: ignore[override]  # the worker's is None too.
        """Always None."""
        return None


@dataclass(frozen=True)
class InvocationContext(func.Context):
    """What a function may ask about its own invocation."""

    id: str
    name: str
    directory: str
    trace: Trace
    retries: NoRetries = field(default_factory=NoRetries)

    @property
    def invocation_id(self) -> str:
        """Unique for each invocation, repeated deliveries included."""
        return self.id

    @property
    def thread_local_storage(self) -> InvocationStorage:  # type: ignore[override]  # it is an instance.
        """Set `invocation_id` on it in threads of the app's own, so that their logs are told apart."""
        return storage

    @property
    def function_name(self) -> str:
        """Name of the function."""
        return self.name

    @property
    def function_directory(self) -> str:
        """Directory of the app."""
        return self.directory

    @property
    def trace_context(self) -> Trace:
        """W3C trace context."""
        return self.trace

    @property
    def retry_context(self) -> NoRetries:
        """Retry count, always 0."""
        return self.retries
