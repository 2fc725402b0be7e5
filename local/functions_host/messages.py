"""Hands a received Service Bus message to the library's converter, as the real host would."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from azure.functions.meta import Datum
from azure.functions.servicebus import ServiceBusMessageInConverter
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType


def decode_message(message: ServiceBusReceivedMessage) -> object:
    """Build the object that the function gets.

    Raises:
        TypeError: The body is an AMQP sequence, or a value other than text and bytes.
    """
    return ServiceBusMessageInConverter.decode(
        Datum(body_of(message), "bytes"), trigger_metadata=_metadata(message)
    )


def body_of(message: ServiceBusReceivedMessage) -> bytes:
    """Return the payload as bytes.

    Raises:
        TypeError: The body is an AMQP sequence, or a value other than text and bytes.
    """
    if message.body_type is AmqpMessageBodyType.DATA:
        return b"".join(message.body)
    if message.body_type is AmqpMessageBodyType.VALUE and isinstance(message.body, str | bytes):
        return message.body.encode() if isinstance(message.body, str) else message.body
    raise TypeError(f"message {message.message_id}: a body of type {message.body_type} cannot be handed over")


def _metadata(message: ServiceBusReceivedMessage) -> dict[str, Datum]:
    # The converter tells one message from a batch by the presence of UserProperties.
    properties = json.dumps(text_keys(message.application_properties or {}), default=str)
    texts = {
        "ContentType": message.content_type,
        "CorrelationId": message.correlation_id,
        "DeadLetterErrorDescription": message.dead_letter_error_description,
        "DeadLetterReason": message.dead_letter_reason,
        "DeadLetterSource": message.dead_letter_source,
        "EnqueuedTimeUtc": _time(message.enqueued_time_utc),
        "ExpiresAtUtc": _time(message.expires_at_utc),
        "Label": message.subject,
        "LockedUntil": _time(message.locked_until_utc),
        "LockToken": str(message.lock_token) if message.lock_token else None,
        "MessageId": message.message_id,
        "PartitionKey": message.partition_key,
        "ReplyTo": message.reply_to,
        "ReplyToSessionId": message.reply_to_session_id,
        "ScheduledEnqueueTimeUtc": _time(message.scheduled_enqueue_time_utc),
        "SessionId": message.session_id,
        "Subject": message.subject,
        "To": message.to,
    }
    numbers = {
        # The host counts deliveries from 1; the SDK counts the failed ones before this.
        "DeliveryCount": (message.delivery_count or 0) + 1,
        "EnqueuedSequenceNumber": message.enqueued_sequence_number,
        "SequenceNumber": message.sequence_number,
    }
    return {
        "ApplicationProperties": Datum(properties, "json"),
        "UserProperties": Datum(properties, "json"),
        **{name: Datum(text, "string") for name, text in texts.items() if text is not None},
        **{name: Datum(number, "int") for name, number in numbers.items() if number is not None},
    }


def text_keys(properties: Mapping[str | bytes, Any]) -> dict[str, Any]:
    """Decode what the SDK leaves as bytes."""
    return {_text(key): _text(value) for key, value in properties.items()}


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _time(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None
