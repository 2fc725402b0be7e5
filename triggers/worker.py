"""``python -m triggers.worker light|heavy``: serve a lane without the Functions host.

For a container, where a function is too small for the work: the same bells, the same code.
"""

import argparse
import logging
import sys
import threading

from core.errors import TransientError
from core.machine import LANES, Draining
from infrastructure import logging as json_logging
from triggers.bootstrap import App, app, drain_on_sigterm

logger = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Answer bells until SIGTERM; return an exit code."""
    parser = argparse.ArgumentParser(prog="python -m triggers.worker", description=__doc__)
    parser.add_argument("lane", choices=LANES)
    parser.add_argument("--threads", type=int, default=1, help="bells answered at once")
    options = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr)
    json_logging.configure()
    drain_on_sigterm()
    here = app()
    threads = [
        threading.Thread(target=serve, args=(here, options.lane), name=f"{options.lane}-{number}")
        for number in range(options.threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    here.isolation.close()
    return 0


def serve(here: App, lane: str) -> None:
    """Answer the lane's bells, one after the other, until the process drains."""
    while not here.machine.draining:
        try:
            here.bell_receiver(lane).serve(
                lambda delivery_count: here.machine.answer_bell(lane, delivery_count),
                lambda: here.machine.draining,
            )
        except Draining:
            logger.info("worker draining", extra={"lane": lane})
        except TransientError as error:
            logger.warning("bell given back", extra={"lane": lane, "reason": error.message})


if __name__ == "__main__":
    sys.exit(main())
