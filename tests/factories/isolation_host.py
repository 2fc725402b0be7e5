"""A worker to be killed: runs `tests.factories.isolated:hang` in the directory of its argument."""

import sys
from pathlib import Path

from core.ports.isolation import IsolatedCall
from infrastructure.isolation import ForkServerRunner

if __name__ == "__main__":
    hanging = IsolatedCall("vector", "tests.factories.isolated:hang", {}, Path(sys.argv[1]))
    ForkServerRunner({}).run(hanging, lambda _: None)
