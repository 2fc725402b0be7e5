"""Where the rows of a table lie, asked of PostGIS."""

from pathlib import Path
from typing import Any

import pytest
import shapely
from shapely.geometry import shape

from core.models.tables import Extent, NewTable
from infrastructure.database import Database
from infrastructure.vector_extent import narrowest
from tests.factories.vectors import STAGED, Vectors, postgis_vectors, write_chunk


@pytest.fixture
def vectors(database: Database) -> Vectors:
    return postgis_vectors(database)


def extent_of(vectors: Vectors, folder: Path, geometries: list[Any], srid: int = 4326) -> Extent | None:
    vectors.create(definition=NewTable([], "Geometry", srid))
    vectors.load(write_chunk(folder / "c.parquet", geometries))
    return vectors.reader.extent(STAGED)


def test_a_footprint_covers_every_row(vectors: Vectors, tmp_path: Path) -> None:
    places = [shapely.Point(number % 17, number % 13 + 30).buffer(0.2) for number in range(300)]

    found = extent_of(vectors, tmp_path, [*places, None, shapely.Point()])

    assert found is not None
    assert found.bbox == pytest.approx((-0.2, 29.8, 16.2, 42.2))
    assert found.native_bbox == found.bbox
    footprint = shape(found.footprint).buffer(1e-6)
    assert all(footprint.covers(place) for place in places)


def test_rows_on_both_sides_of_the_antimeridian_are_neighbours(vectors: Vectors, tmp_path: Path) -> None:
    fiji = [shapely.box(177, -18, 180, -16), shapely.box(-180, -18, -179, -16)]

    found = extent_of(vectors, tmp_path, fiji)

    assert found is not None
    assert found.bbox == pytest.approx((177, -18, -179, -16))
    footprint = shape(found.footprint)
    assert footprint.geom_type == "MultiPolygon"
    assert footprint.bounds == pytest.approx((-180, -18, 180, -16))
    assert footprint.area == pytest.approx(8)


def test_the_whole_earth_crosses_nothing(vectors: Vectors, tmp_path: Path) -> None:
    found = extent_of(vectors, tmp_path, [shapely.box(-180, -90, 180, 90), shapely.Point(3, 3)])

    assert found is not None
    assert found.bbox == (-180, -90, 180, 90)


def test_bounds_in_another_crs_are_told_beside_those_in_degrees(vectors: Vectors, tmp_path: Path) -> None:
    found = extent_of(vectors, tmp_path, [shapely.box(400_000, 5_600_000, 600_000, 5_700_000)], 32632)

    assert found is not None
    assert found.native_bbox == (400_000, 5_600_000, 600_000, 5_700_000)
    # The parallels bend: the northern edge is highest in its middle, on the zone's meridian.
    assert found.bbox == pytest.approx((7.561123, 50.543380, 10.438877, 51.451182), abs=1e-5)


def test_one_point_has_a_place(vectors: Vectors, tmp_path: Path) -> None:
    found = extent_of(vectors, tmp_path, [shapely.Point(7, 50)])

    assert found is not None
    assert found.bbox == (7, 50, 7, 50)
    assert found.footprint == {"type": "Point", "coordinates": [7, 50]}


def test_rows_without_a_point_have_none(vectors: Vectors, tmp_path: Path) -> None:
    assert extent_of(vectors, tmp_path, [None, shapely.Polygon()]) is None


def test_a_sample_is_simplified_and_about_as_large_as_asked(vectors: Vectors, tmp_path: Path) -> None:
    rings = [shapely.Point(number, 0).buffer(1, quad_segs=32) for number in range(5_000)]
    extent_of(vectors, tmp_path, rings)

    everything = list(vectors.reader.sample_geometries(STAGED, 10_000, 0.0))
    some = list(vectors.reader.sample_geometries(STAGED, 500, 0.1))

    assert len(everything) == 5_000
    assert 0 < len(some) < 1_500
    assert len(shapely.get_coordinates(shapely.from_wkb(some[0]))) < 40


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(10, 20), (15, 30)], (10, 30)),
        ([(139, 140), (-119, -118)], (139, -118)),
        ([(-75, -74), (0, 1)], (-75, 1)),
        ([(-180, 180)], (-180, 180)),
        ([(170, 180), (-180, -170), (0, 1)], (-180, 180)),
    ],
)
def test_spans_are_joined_across_180_degrees_only_if_half_the_globe_is_empty(
    spans: list[tuple[float, float]], expected: tuple[float, float]
) -> None:
    assert narrowest(spans) == expected
