"""The catalogue: items written beside pypgstac's loader, and searches among a hundred thousand."""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlencode, urlsplit

from benchmarks.system import System, system
from benchmarks.table import Row
from config.settings import DatabaseSettings
from infrastructure.countries import CountryFinder
from infrastructure.database import Database
from infrastructure.pgstac_repository import PgStacRepository
from services.stac.collections import raster_collection

_WRITTEN = 10_000
# A chunk of the loader holds ten thousand.
_BATCH = 10_000
_SEARCHED = 100_000
_SEARCHES = 300
_TURNS = 3


def run() -> list[Row]:
    """Write the same items in turn with both, then search among more of them through HTTP."""
    with (
        tempfile.TemporaryDirectory(prefix="terrane-bench-") as folder,
        system() as local,
        closing(_database(local)) as database,
    ):
        return [*_ingest(local, database, Path(folder)), *_search(local, database, Path(folder))]


def _database(local: System) -> Database:
    parts = urlsplit(local.variables["DATABASE_URL"])
    settings = DatabaseSettings(
        host=parts.hostname or "", port=parts.port or 5432, database=parts.path[1:], user=parts.username or ""
    )
    return Database(settings, lambda: parts.password, "terrane bench")


def _ingest(local: System, database: Database, folder: Path) -> list[Row]:
    plain, placed, loader = [], [], []
    knowing = PgStacRepository(database, countries=CountryFinder())
    for turn in range(_TURNS):
        plain.append(_write(PgStacRepository(database), database, f"plain-{turn}"))
        placed.append(_write(knowing, database, f"placed-{turn}"))
        loader.append(_load(local, database, f"loader-{turn}", _WRITTEN, folder))
    peer, rate = f"pypgstac load {version('pypgstac')}", _WRITTEN / median(loader)
    return [
        Row(f"{_WRITTEN:,} items upserted by {_BATCH:,}", _WRITTEN / median(plain), "items/s", rate, peer),
        Row("  the same, with their countries", _WRITTEN / median(placed), "items/s", rate, peer),
    ]


def _write(repository: PgStacRepository, database: Database, collection_id: str) -> float:
    """Return the seconds that the writer takes, a transaction a batch."""
    items = list(_items(collection_id, _WRITTEN))
    with database.transaction() as connection:
        repository.within(connection).ensure_collection(raster_collection(collection_id))
    start = time.perf_counter()
    for first in range(0, len(items), _BATCH):
        with database.transaction() as connection:
            repository.within(connection).upsert_items(items[first : first + _BATCH])
    return time.perf_counter() - start


def _load(local: System, database: Database, collection_id: str, count: int, folder: Path) -> float:
    """Return the seconds that pypgstac's own command takes for such items, its start not counted."""
    with database.transaction() as connection:
        PgStacRepository(database).within(connection).ensure_collection(raster_collection(collection_id))
    path = folder / f"{collection_id}.ndjson"
    with path.open("w") as lines:
        lines.writelines(f"{json.dumps(item)}\n" for item in _items(collection_id, count))
    code = (
        "import sys, time\n"
        "from pypgstac.db import PgstacDB\n"
        "from pypgstac.load import Loader, Methods\n"
        "loader = Loader(PgstacDB(dsn=sys.argv[1]))\n"
        "start = time.perf_counter()\n"
        "loader.load_items(sys.argv[2], insert_mode=Methods.upsert)\n"
        "print(time.perf_counter() - start)\n"
    )
    command = [sys.executable, "-c", code, local.variables["DATABASE_URL"], str(path)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def _search(local: System, database: Database, folder: Path) -> list[Row]:
    _load(local, database, "searched", _SEARCHED, folder)
    chance = random.Random(7)  # noqa: S311 - the same places in every run
    boxes = [_box(chance) for _ in range(_SEARCHES)]
    rows = []
    for name, query in (
        ("by place", {}),
        ("by place and time", {"datetime": "2024-03-01T00:00:00Z/2024-03-31T00:00:00Z"}),
        ("by place and property", {"filter": "gsd > 50", "filter-lang": "cql2-text"}),
    ):
        times = [
            _timed(local, {"bbox": box, "limit": "10", "collections": "searched"} | query) for box in boxes
        ]
        percentiles = quantiles(times, n=100)
        rows.append(Row(f"search among {_SEARCHED:,} {name}, p50", percentiles[49] * 1000, "ms"))
        rows.append(Row("  p99", percentiles[98] * 1000, "ms"))
    return rows


def _timed(local: System, query: dict[str, Any]) -> float:
    start = time.perf_counter()
    found = local.request("GET", f"/api/stac/search?{urlencode(query)}")
    if found.get("type") != "FeatureCollection":
        raise RuntimeError(f"the search failed: {found}")
    return time.perf_counter() - start


def _box(chance: random.Random) -> str:
    west, south = chance.uniform(-170, 160), chance.uniform(-80, 70)
    return f"{west:.3f},{south:.3f},{west + 5:.3f},{south + 5:.3f}"


def _items(collection_id: str, count: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(11)  # noqa: S311 - the same queries in every run
    for number in range(count):
        west, south = chance.uniform(-179, 178), chance.uniform(-89, 88)
        east, north = west + 0.5, south + 0.5
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        moment = f"2024-{number % 12 + 1:02}-{number % 28 + 1:02}T10:00:00Z"
        yield {
            "type": "Feature",
            "stac_version": "1.1.0",
            "stac_extensions": [],
            "id": f"{collection_id}-{number}",
            "collection": collection_id,
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "bbox": [west, south, east, north],
            "properties": {"datetime": moment, "gsd": number % 100, "title": f"Scene {number}"},
            "links": [],
            "assets": {
                "data": {"href": f"https://example.com/{number}.tif", "roles": ["data"], "file:size": number}
            },
        }
