"""The Azure SDK's errors of blobs in the core's terms."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from core import codes
from core.errors import InvalidInput, NotFound, TransientError
from core.ports.blobs import PreconditionFailed

_CONTAINER_MISSING = ("ContainerNotFound", "ContainerDisabled")
# A block list that names blocks which another commit discarded is a lost race, not a bad request.
_CONDITION_CODES = (
    "BlobAlreadyExists",
    "ConditionNotMet",
    "InvalidBlockList",
    "SourceConditionNotMet",
    "TargetConditionNotMet",
)
_FORBIDDEN = (401, 403)
_PASSING = (404, 408, 409, 412, 429)


@dataclass(frozen=True)
class Operation:
    """What was being done to what, for messages.

    Args:
        host: Host of the account.
        name: The method, in words.
        subject: Container, or container and blob.
    """

    host: str
    name: str
    subject: str

    def __str__(self) -> str:
        return f"{self.host}: {self.name} {self.subject}"


@contextmanager
def translated(operation: Operation) -> Iterator[None]:
    """Turn the SDK's errors into ours.

    Messages are made of codes and reasons only: the SDK's own may quote a signed address.
    """
    try:
        yield
    except HttpResponseError as error:
        raise _from_response(operation, error) from error
    except AzureError as error:
        raise TransientError(codes.STORAGE_UNAVAILABLE, f"{operation}: {_root_reason(error)}") from error


def _from_response(operation: Operation, error: HttpResponseError) -> Exception:
    status = error.status_code or 0
    code = _error_code(error)
    if status in _FORBIDDEN or (isinstance(error, ClientAuthenticationError) and not status):
        return TransientError(codes.STORAGE_FORBIDDEN, f"{operation}: access refused ({code})")
    if code in _CONDITION_CODES or (status == 412 and not code.startswith("Lease")):
        return PreconditionFailed(f"{operation}: {code}")
    # A copy's source that went away between two looks is found missing by the next look.
    if status == 404 and code != "CannotVerifyCopySource":
        return _missing(operation, code)
    # What is left of 409 and 412 (a container being deleted, a pending copy, a lease) passes.
    if not status or status >= 500 or status in _PASSING:
        return TransientError(codes.STORAGE_UNAVAILABLE, f"{operation}: {code} (HTTP {status})")
    return InvalidInput(codes.STORAGE_REFUSED, f"{operation}: {code} (HTTP {status})")


def _error_code(error: HttpResponseError) -> str:
    # The SDK uses an enumeration for the codes that it knows, and text for the rest.
    code = getattr(error, "error_code", None) or type(error).__name__
    return str(getattr(code, "value", code))


def _missing(operation: Operation, code: str) -> NotFound:
    if code in _CONTAINER_MISSING:
        container = operation.subject.partition("/")[0]
        return NotFound(
            codes.CONTAINER_MISSING, f"Container {container!r} does not exist in {operation.host}"
        )
    return NotFound(codes.BLOB_MISSING, f"Blob {operation.subject!r} does not exist in {operation.host}")


def _root_reason(error: BaseException) -> str:
    """Return the operating system's words for what went wrong, or the innermost error's class.

    urllib3 words its own errors with the address that it asked for, so its words are not used.
    """
    reason = type(error).__name__
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, OSError) and current.strerror:
            reason = current.strerror
        # The SDK keeps what it caught as an attribute instead of chaining it.
        current = current.__cause__ or current.__context__ or getattr(current, "inner_exception", None)
    return reason
