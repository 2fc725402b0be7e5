"""Run the emulator: `python -m local.servicebus --port 5672 --entities deploy/servicebus.json`."""

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from pydantic import ValidationError

from local.servicebus.broker import Broker
from local.servicebus.logformat import JsonFormatter
from local.servicebus.settings import Entities, load_entities


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m local.servicebus", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--port", type=int, default=5672, help="0 takes a free one; the line printed says which"
    )
    parser.add_argument("--entities", type=Path, default=Path("deploy/servicebus.json"))
    arguments = parser.parse_args()
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        entities = load_entities(arguments.entities)
    except (OSError, ValidationError) as error:
        parser.error(f"{arguments.entities}: {error}")
    asyncio.run(_serve(entities, arguments.host, arguments.port))


async def _serve(entities: Entities, host: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    broker = Broker(entities)
    bound = await broker.listen(host, port)
    sys.stdout.write(f"Service Bus emulator listening on {host}:{bound}\n")
    sys.stdout.flush()
    await stopped.wait()
    await broker.close()


if __name__ == "__main__":
    main()
