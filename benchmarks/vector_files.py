"""``python -m benchmarks.vector_files FORMAT ROWS PATH``: a vector file of so many rows, the same every time.

In a process of its own, for the sake of its GDAL.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyogrio
import shapely

_BATCH = 50_000
_CORNERS = 16
# Of a hundred polygons one crosses itself.
_INVALID_EVERY = 100
_KINDS = ("forest", "meadow", "field", "house", "road")


def main(arguments: list[str]) -> None:
    """Write a file."""
    form, rows, path = arguments[0], int(arguments[1]), Path(arguments[2])
    if form == "csv":
        write_csv(path, rows)
    else:
        write_polygons(path, rows, {"gpkg": "GPKG", "geojson": "GeoJSON", "fgb": "FlatGeobuf"}[form])


def write_polygons(path: Path, rows: int, driver: str) -> None:
    """Write polygons in EPSG:3857, or in EPSG:4326 where the format knows no other."""
    crs = "EPSG:4326" if driver == "GeoJSON" else "EPSG:3857"
    schema = next(batches(1, crs)).schema
    reader = pa.RecordBatchReader.from_batches(schema, batches(rows, crs))
    options = {"SPATIAL_INDEX": "NO"} if driver in ("GPKG", "FlatGeobuf") else {}
    pyogrio.write_arrow(
        reader, path, driver=driver, geometry_name="geom", geometry_type="Polygon", crs=crs, **options
    )


def write_csv(path: Path, rows: int) -> None:
    """Write points with longitude and latitude."""
    with path.open("w", encoding="utf-8") as file:
        file.write("number,longitude,latitude,kind,height,day\n")
        for first in range(0, rows, _BATCH):
            numbers = np.arange(first, min(first + _BATCH, rows))
            places = np.random.default_rng(first).uniform((-179, -80), (179, 80), (len(numbers), 2))
            file.writelines(
                f"{number},{x:.7f},{y:.7f},{_attributes(number)}\n"
                for number, (x, y) in zip(numbers.tolist(), places.tolist(), strict=True)
            )


def _attributes(number: int) -> str:
    return f"{_KINDS[number % 5]},{number % 997 / 7:.3f},2024-{number % 12 + 1:02}-11"


def batches(rows: int, crs: str) -> Iterator[pa.RecordBatch]:
    """Yield polygons of 16 corners with five attributes."""
    metres = 1.0 if crs == "EPSG:3857" else 1 / 111_320
    for first in range(0, rows, _BATCH):
        numbers = np.arange(first, min(first + _BATCH, rows))
        yield pa.record_batch(
            {
                "number": pa.array(numbers, pa.int64()),
                "kind": pa.array([_KINDS[number % 5] for number in numbers.tolist()]),
                "area": pa.array(numbers % 1_009 / 3, pa.float64()),
                "day": pa.array(numbers % 20_000, pa.int32()).cast(pa.date32()),
                "note": pa.array([f"parcel {number} of the survey" for number in numbers.tolist()]),
                "geom": pa.array(shapely.to_wkb(_polygons(numbers, metres)), pa.binary()),
            }
        )


def _polygons(numbers: Any, metres: float) -> Any:
    random = np.random.default_rng(int(numbers[0]))
    centres = random.uniform((-18e6, -9e6), (18e6, 9e6), (len(numbers), 2)) * metres
    turns = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    radii = random.uniform(30, 60, (len(numbers), _CORNERS)) * metres
    rings = np.stack([radii * np.cos(turns), radii * np.sin(turns)], axis=2) + centres[:, None]
    crossed = numbers % _INVALID_EVERY == 0
    rings[crossed] = rings[crossed][:, [1, 0, *range(2, _CORNERS)]]
    return shapely.polygons(np.concatenate([rings, rings[:, :1]], axis=1))


if __name__ == "__main__":
    main(sys.argv[1:])
