"""Rasters, vectors and PostGIS carry a PROJ each; a point must land in the same place by all three."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import shapely

from config.settings import DatabaseSettings
from core.ports.isolation import IsolatedCall
from infrastructure.isolation.runner import ForkServerRunner
from services.vector.models import PreparedVector, PrepareVector
from tests.fixtures.postgres import PostgresServer
from triggers.bootstrap import NATIVE_MODULES

# A CRS and points well within it.
PLACES = {
    "EPSG:3857": [(-8e6, 5e6), (1.2e7, -4e6)],
    "EPSG:25832": [(450_000, 5_400_000), (690_000, 5_330_000)],
    "EPSG:32719": [(350_000, 6_290_000)],
    "EPSG:3035": [(4_321_000, 3_210_000), (3_800_000, 2_000_000)],
    "EPSG:2056": [(2_600_000, 1_200_000)],
    "EPSG:5070": [(-500_000, 1_900_000)],
}
# A degree of latitude is some 111 kilometres.
MILLIMETRE = 1e-3 / 111_000
BY_RASTERIO = """
import json, sys
from rasterio.warp import transform
crs, points = json.load(sys.stdin)
print(json.dumps(transform(crs, "EPSG:4326", [x for x, _ in points], [y for _, y in points])))
"""


@pytest.fixture(scope="module")
def runner() -> Iterator[ForkServerRunner]:
    runner = ForkServerRunner(preload={"vector": NATIVE_MODULES["vector"]})
    yield runner
    runner.close()


def by_vector(runner: ForkServerRunner, workspace: Path, crs: str) -> list[tuple[float, float]]:
    rows = "".join(f"{x},{y}\n" for x, y in PLACES[crs])
    (workspace / "a.csv").write_text(f"x,y\n{rows}")
    request = PrepareVector(path="a.csv", file_extension="csv", input_crs=crs)
    target = "services.vector.native.preparation:prepare_vector"
    call = IsolatedCall("vector", target, request.model_dump(mode="json"), workspace)
    result = PreparedVector.model_validate(runner.run(call, lambda _: None))
    wkb = pq.read_table(workspace / result.chunks[0].name)["geom"].to_pylist()
    return [(point.x, point.y) for point in shapely.from_wkb(wkb)]


def by_raster(crs: str) -> list[tuple[float, float]]:
    answer = subprocess.run(
        [sys.executable, "-c", BY_RASTERIO],
        input=json.dumps([crs, PLACES[crs]]),
        capture_output=True,
        text=True,
        check=True,
    )
    x, y = json.loads(answer.stdout)
    return list(zip(x, y, strict=True))


def by_postgis(server: PostgresServer, database: str, crs: str) -> list[tuple[float, float]]:
    statement = """
        SELECT ST_X(moved) AS x, ST_Y(moved) AS y
          FROM (SELECT ST_Transform(ST_SetSRID(ST_MakePoint(%s, %s), %s), 4326) AS moved) AS points
    """
    with server.connect(database) as connection:
        rows = [connection.execute(statement, (x, y, int(crs[5:]))).fetchone() for x, y in PLACES[crs]]
    return [(row["x"], row["y"]) for row in rows if row is not None]


@pytest.mark.parametrize("crs", PLACES)
def test_all_three_agree_within_a_millimetre(
    runner: ForkServerRunner,
    postgres_server: PostgresServer,
    database_settings: DatabaseSettings,
    tmp_path: Path,
    crs: str,
) -> None:
    vector = by_vector(runner, tmp_path, crs)

    for others in (by_raster(crs), by_postgis(postgres_server, database_settings.database, crs)):
        for (x, y), (other_x, other_y) in zip(vector, others, strict=True):
            assert math.isclose(x, other_x, rel_tol=0, abs_tol=MILLIMETRE)
            assert math.isclose(y, other_y, rel_tol=0, abs_tol=MILLIMETRE)
