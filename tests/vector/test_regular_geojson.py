"""Plain GeoJSON is read without OGR, and what comes of it is what OGR would have made of it."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely

from services.findings import Findings
from services.vector.datasets import Dataset
from services.vector.native import geojson_blocks
from services.vector.native.drivers import only
from services.vector.native.geojson import GeoJsonSource
from services.vector.native.ledger import Ledger
from services.vector.native.regular_geojson import read_regular
from services.vector.native.source import Source
from tests.vector.desk import SQUARE, Desk, collection, feature

POINT = "POINT (1 2)"
SHAPES = (
    POINT,
    "POINT Z (1 2 3)",
    "MULTIPOINT ((1 2), (3 4))",
    "LINESTRING (0 0, 1 1.5, 2 5)",
    "MULTILINESTRING ((0 0, 1 1), (2 2, 3 3, 4 5))",
    SQUARE,
    "POLYGON Z ((0 0 1, 1 0 2, 1 1 3, 0 0 1), (0.1 0.1 1, 0.3 0.1 1, 0.2 0.2 1, 0.1 0.1 1))",
    "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((5 5, 9 5, 9 9, 5 9, 5 5), (6 6, 6 7, 7 7, 7 6, 6 6)))",
    None,
)
VALUES: dict[str, list[Any]] = {
    "small": [1, -5, None],
    "large": [1, 2**40, None],
    "real": [1.5, -2e-7, None],
    "both": [1, 2.5, None],
    "flag": [True, False, None],
    "text": ["x", "", "2020-01-01", 'ü\n"}, x', None],
    "code": ["0123", "42", None],
    "day": ["2020-01-01", "1999-12-31", None],
    "never": [None],
}


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geojson_blocks, "_BLOCK_NBYTES", 3_000)


def scattered(count: int, *, with_all_keys: bool) -> list[dict[str, Any]]:
    random = np.random.default_rng(11)
    features = []
    for _ in range(count):
        chosen = {name: values[random.integers(len(values))] for name, values in VALUES.items()}
        if not with_all_keys:
            chosen = {name: value for name, value in chosen.items() if random.random() < 0.97}
        features.append(feature(SHAPES[random.integers(len(SHAPES))], **chosen))
    return features


def everything(source: Source) -> tuple[Any, ...]:
    batches = list(source.batches())
    columns = [
        [each for batch in batches for each in batch.attributes[place].to_pylist()]
        for place in range(len(source.fields))
    ]
    geometries = pa.concat_arrays([batch.geometries for batch in batches])
    shapes = shapely.from_wkb(geometries.to_numpy(zero_copy_only=False))
    fids = [fid for batch in batches for fid in batch.fids.tolist()]
    return source.fields, source.crs, source.layers, fids, shapely.to_wkt(shapes).tolist(), columns


def both_ways(path: Path) -> tuple[tuple[Any, ...] | None, tuple[Any, ...]]:
    driver = "GeoJSONSeq" if path.suffix == ".geojsonl" else "GeoJSON"
    dataset = Dataset(path, driver)
    with only(driver), ExitStack() as opened:
        plain = read_regular(dataset, Ledger(), Findings())
        ours = everything(plain) if plain else None
        return ours, everything(GeoJsonSource(dataset, Ledger(), Findings(), opened))


@pytest.mark.parametrize("with_all_keys", [True, False])
@pytest.mark.parametrize("name", ["a.geojson", "a.geojsonl"])
@pytest.mark.usefixtures("small_blocks")
def test_plain_features_become_what_ogr_makes_of_them(desk: Desk, name: str, *, with_all_keys: bool) -> None:
    features = scattered(200, with_all_keys=with_all_keys)
    text = collection(*features) if name == "a.geojson" else "\n".join(map(json.dumps, features))
    path = desk.write(name, text)

    ours, by_ogr = both_ways(path)

    assert ours is not None
    assert ours[:2] == by_ogr[:2]
    assert ours[3:] == by_ogr[3:]
    assert ours[2][0].rows == by_ogr[2][0].rows == 200
    assert not list(path.parent.glob("features_*"))


@pytest.mark.parametrize("spaced", [True, False])
def test_how_the_text_is_laid_out_does_not_matter(desk: Desk, *, spaced: bool) -> None:
    whole = json.loads(collection(feature(POINT, a=1), feature(SQUARE, a=2)))
    whole = {"name": "x", "features": whole["features"], "type": "FeatureCollection", "bbox": [0, 0, 2, 2]}
    path = desk.write("a.geojson", json.dumps(whole, indent=2 if spaced else None, separators=(",", ":")))

    ours, by_ogr = both_ways(path)

    assert ours == by_ogr


def test_the_crs_of_the_collection_is_seen(desk: Desk) -> None:
    text = json.loads(collection(feature("POINT (111319 222684)")))
    text["crs"] = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    path = desk.write("a.geojson", json.dumps(text))

    ours, by_ogr = both_ways(path)

    assert ours is not None
    assert ours[1] == by_ogr[1]
    assert ours[1].text == "EPSG:3857"


@pytest.mark.parametrize(
    "odd",
    [
        feature(POINT, a=[1]),
        feature(POINT, a={"b": 1}),
        feature(POINT, a="x"),
        feature(POINT, a=2**63),
        feature(POINT, a=-(10**18)),
        feature(POINT, a=10**30),
        feature(POINT, r=-(10**30)),
        feature({"type": "Point", "coordinates": [10**30, 2]}),
        feature(POINT, a="1\0"),
        feature(POINT, t="2020-01-01T10:00:00Z"),
        feature(POINT, t="2020-02-30"),
        feature(POINT, t="10:30"),
        feature(POINT, a=1) | {"id": "x"},
        feature(POINT, a=1) | {"id": 7},
        feature(POINT, a=1) | {"properties": None},
        feature({"type": "Point", "coordinates": ["1", 2]}),
        feature({"type": "Point", "coordinates": [True, 2]}),
        feature({"type": "Point", "coordinates": [1]}),
        feature({"type": "Point", "coordinates": [1, 2, 3, 4]}),
        feature({"type": "Point", "coordinates": []}),
        feature({"type": "Point", "coordinates": None}),
        feature({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1]]]}),
        feature({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}),
        feature({"type": "LineString", "coordinates": [[0, 0]]}),
        feature({"type": "LineString", "coordinates": {"0": [0, 0]}}),
        feature({"type": "Point", "coordinates": [1, 2], "crs": None}),
        feature("GEOMETRYCOLLECTION (POINT (1 2))"),
        {"type": "Point", "coordinates": [1, 2]},
        7,
    ],
)
def test_what_is_not_plain_is_left_to_ogr(desk: Desk, odd: Any) -> None:
    plain = [feature(POINT, a=number) for number in range(5)]
    path = desk.write("a.geojson", collection(*plain, odd, *plain))

    with only("GeoJSON"):
        assert read_regular(Dataset(path, "GeoJSON"), Ledger(), Findings()) is None
    assert not list(path.parent.glob("features_*"))


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9, 0.999])
@pytest.mark.usefixtures("small_blocks")
def test_a_file_that_was_cut_off_is_not_plain(desk: Desk, keep: float) -> None:
    whole = collection(*scattered(100, with_all_keys=True))
    path = desk.write("a.geojson", whole[: int(len(whole) * keep)])

    with only("GeoJSON"):
        assert read_regular(Dataset(path, "GeoJSON"), Ledger(), Findings()) is None
