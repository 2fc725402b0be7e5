"""Run the tests in as many processes as there are kinds of native libraries, and sum them up.

The wheels of rasterio and pyogrio carry a GDAL each, which must not meet another one in a process.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from local.binaries import CHECKOUT, VENV

# Kind of native library, and the directory of the tests that load it in their own process.
NATIVE = {"raster": "tests/raster", "vector": "tests/vector", "tiles": "tests/tiles"}
# These break a whole system of their own, for minutes, and come last.
APART = {**NATIVE, "chaos": "tests/chaos"}
_NOTHING_COLLECTED = 5


@dataclass(frozen=True)
class Group:
    """Tests that may share a process."""

    name: str
    arguments: tuple[str, ...]


def groups(path: str | None) -> list[Group]:
    """Return the processes to run: one for a path that is given, else one a kind.

    Args:
        path: A test file, directory or pytest node id.
    """
    if path and path.rstrip("/") != "tests":
        return [Group(path, (path,))]
    apart = [
        Group(name, (directory,)) for name, directory in APART.items() if (CHECKOUT / directory).is_dir()
    ]
    ignored = tuple(f"--ignore={directory}" for directory in APART.values())
    return [Group("tests", ("tests", *ignored)), *apart]


def main(arguments: Sequence[str]) -> int:
    """Run the groups one after the other; the exit code is the first that is not 0."""
    start, codes, total = time.monotonic(), [], Counter[str]()
    with tempfile.TemporaryDirectory() as directory:
        for number, group in enumerate(groups(arguments[0] if arguments else None)):
            report = Path(directory, f"{number}.xml")
            codes.append(_run(group, report, arguments[1:]))
            total += _counts(report)
    code = next((code for code in codes if code), 0)
    outcomes = ", ".join(f"{total[name]} {name}" for name in ("passed", "failed", "errors", "skipped"))
    verdict = "failed" if code else "passed"
    sys.stdout.write(f"make test: {verdict}: {outcomes} in {time.monotonic() - start:.0f} s\n")
    return code


def _run(group: Group, report: Path, options: Sequence[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *group.arguments, *options]
    # Where the system's Node is too old, the one in the virtual environment is meant.
    path = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath)])
    code = subprocess.run(command, cwd=CHECKOUT, env={**os.environ, "PATH": path}, check=False).returncode
    # The named tests being none is a mistake of who named them; a kind may have none yet.
    return 0 if code == _NOTHING_COLLECTED and group.name in NATIVE else code


def _counts(report: Path) -> Counter[str]:
    if not report.exists():
        return Counter()
    # The file was written by pytest a moment ago.
    suites = ElementTree.parse(report).getroot().iter("testsuite")  # noqa: S314 - our own file
    counts = Counter[str]()
    for suite in suites:
        numbers = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
        counts["failed"] += numbers["failures"]
        counts["errors"] += numbers["errors"]
        counts["skipped"] += numbers["skipped"]
        counts["passed"] += numbers["tests"] - sum(numbers.values()) + numbers["tests"]
    return counts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
