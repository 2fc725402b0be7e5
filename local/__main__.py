"""`python -m local up|down|env|status`: the system of `TERRANE_HOME`."""

import argparse
import logging
import sys
from collections.abc import Callable

from local import launcher
from local.binaries import Missing
from local.home import Home
from local.terminal import complain

_COMMANDS: dict[str, Callable[[Home], int]] = {
    "up": launcher.up,
    "down": launcher.down,
    "env": launcher.env,
    "status": launcher.status,
    "supervise": launcher.supervise,
}


class _Lines(logging.Formatter):
    """One record a line: time, level, event, then what varies as ``name=value``."""

    _KNOWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}

    def format(self, record: logging.LogRecord) -> str:
        extra = {name: value for name, value in record.__dict__.items() if name not in self._KNOWN}
        values = "".join(f" {name}={value}" for name, value in extra.items())
        return f"{super().format(record)}{values}"


def main() -> int:
    """Run the command that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("command", choices=list(_COMMANDS))
    arguments = parser.parse_args()
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # The storage client logs every request at this level.
    logging.getLogger("azure").setLevel(logging.WARNING)
    try:
        return _COMMANDS[arguments.command](Home.from_environment())
    except Missing as error:
        complain(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
