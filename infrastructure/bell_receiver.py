"""Bells received without the Functions host, for the plain worker."""

import logging
from collections.abc import Callable

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError

from config.settings import BusSettings

logger = logging.getLogger(__name__)

_WAIT_SECONDS = 5


class BellReceiver:
    """Receives one bell after the other from one queue.

    A bell is completed after its answer. Its lock may be lost meanwhile, and the bell come again:
    that costs a claim that finds nothing.

    Args:
        settings: The namespace.
        credential: Used unless the settings hold a connection string.
        queue: Name of the queue.
    """

    def __init__(self, settings: BusSettings, credential: TokenCredential, queue: str) -> None:
        self._settings = settings
        self._credential = credential
        self._queue = queue

    def serve(self, answer: Callable[[int], object], stopped: Callable[[], bool]) -> None:
        """Call `answer` with each bell's delivery count until `stopped`; reconnects for ever.

        What `answer` raises gives the bell back to the queue and passes on.
        """
        while not stopped():
            try:
                with self._client() as client, client.get_queue_receiver(self._queue) as receiver:
                    while not stopped():
                        for message in receiver.receive_messages(1, max_wait_time=_WAIT_SECONDS):
                            _answer(receiver, message, answer)
            except MessageLockLostError:
                logger.debug("bell lock lost")
            except (AzureError, OSError) as error:
                logger.warning("bus awaited", extra={"queue": self._queue, "reason": str(error)})

    def _client(self) -> ServiceBusClient:
        secret = self._settings.connection_string
        if secret is not None:
            return ServiceBusClient.from_connection_string(secret.get_secret_value())
        return ServiceBusClient(self._settings.namespace, self._credential)


def _answer(
    receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage, answer: Callable[[int], object]
) -> None:
    try:
        answer((message.delivery_count or 0) + 1)
    except BaseException:
        receiver.abandon_message(message)
        raise
    receiver.complete_message(message)
