"""``python -m benchmarks [NAME]``: run every benchmark, or one, and print a table of ratios."""

import sys
from collections.abc import Callable

from benchmarks import catalogue, engine, raster, vector
from benchmarks.table import Row, print_table

_BENCHMARKS: dict[str, Callable[[], list[Row]]] = {
    "catalogue": catalogue.run,
    "engine": engine.run,
    "raster": raster.run,
    "vector": vector.run,
}


def main(names: list[str]) -> int:
    """Run what was asked for; return an exit code."""
    unknown = [name for name in names if name not in _BENCHMARKS]
    if unknown:
        sys.stderr.write(f"no benchmark {', '.join(unknown)}; there are: {', '.join(_BENCHMARKS)}\n")
        return 2
    rows: list[Row] = []
    for name in names or list(_BENCHMARKS):
        rows += _BENCHMARKS[name]()
    print_table(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
