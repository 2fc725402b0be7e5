"""What the broker refuses, with the AMQP error condition that tells the client."""

from proton import Condition, symbol


class ServiceBusError(Exception):
    """A request that the broker refuses.

    Attributes:
        condition: AMQP error condition; the SDKs choose their exception by it.
        status: HTTP-like code for answers of the management node.
    """

    condition = "amqp:internal-error"
    status = 500


class MalformedMessage(ServiceBusError):
    """The bytes are not an AMQP message."""

    condition = "amqp:decode-error"
    status = 400


class MessageTooLarge(ServiceBusError):
    """The message, or the batch, is larger than the link allows."""

    condition = "amqp:link:message-size-exceeded"
    status = 413


class EntityNotFound(ServiceBusError):
    """No entity has that name."""

    condition = "amqp:not-found"
    status = 404


class MessageNotFound(ServiceBusError):
    """No message with that sequence number is in the state that the request needs."""

    condition = "com.microsoft:message-not-found"
    status = 404


class MessageLockLost(ServiceBusError):
    """The lock has expired, or the message was settled by it before."""

    condition = "com.microsoft:message-lock-lost"
    status = 410


class InvalidArgument(ServiceBusError):
    """A request lacks something, or something in it has the wrong type."""

    condition = "com.microsoft:argument-error"
    status = 400


class NotSupported(ServiceBusError):
    """The real service can do it, the emulator cannot."""

    condition = "amqp:not-implemented"
    status = 501


class ShuttingDown(ServiceBusError):
    """The broker ends the connection; the client may connect again when it is back."""

    condition = "amqp:connection:forced"
    status = 503


def condition_of(error: ServiceBusError) -> Condition:
    """Return the error as AMQP says it.

    The map of details is never empty, because the Python SDK reads all three fields of an error, and fails or
    waits for ever when the third is missing.
    """
    return Condition(error.condition, str(error), {symbol("com.microsoft:status"): error.status})
