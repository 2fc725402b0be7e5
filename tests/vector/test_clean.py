"""The short way of clean rows gives what the long way gives, and no bytes lead it astray."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyproj
import pytest
import shapely
from pyproj import CRS

from services.vector.native.clean import clean_rows
from services.vector.native.coordinates import WkbCoordinates
from services.vector.native.reprojection import Reprojection
from services.vector.wkb import headers
from tests.vector.desk import BOWTIE, SQUARE

MERCATOR, DEGREES = CRS.from_epsg(3857), CRS.from_epsg(4326)
HOLED = "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1), (5 5, 5 6, 6 6, 6 5, 5 5))"
CLEAN = [
    "POINT (1 2)",
    "POINT Z (1 2 3)",
    "LINESTRING (0 0, 1 1, 2 5)",
    "LINESTRING Z (0 0 1, 0 0 2, 1 1 3)",
    SQUARE,
    HOLED,
    "POLYGON Z ((0 0 1, 1 0 2, 1 1 3, 0 0 1))",
    "MULTILINESTRING ((0 0, 1 1), (2 2, 3 3, 4 5))",
    "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((5 5, 9 5, 9 9, 5 9, 5 5), (6 6, 6 7, 7 7, 7 6, 6 6)))",
    "MULTIPOLYGON Z (((0 0 1, 1 0 1, 1 1 1, 0 0 1)), ((5 5 2, 6 5 2, 6 6 2, 5 5 2)))",
]
NOT_CLEAN = [
    BOWTIE,
    "POLYGON ((0 0, 0 1, 1 1, 1 0, 0 0))",
    "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 2 1, 2 2, 1 2, 1 1))",
    "LINESTRING (0 0, 0 0, 1 1)",
    "LINESTRING (1 1, 1 1)",
    "POINT EMPTY",
    "POLYGON EMPTY",
    "MULTIPOLYGON EMPTY",
    "MULTIPOINT ((0 0), (1 1))",
    "GEOMETRYCOLLECTION (POINT (1 2))",
    "POINT M (1 2 3)",
]


def wkb_of(shapes: Any) -> pa.BinaryArray:
    return pa.array(shapely.to_wkb(shapes, byte_order=1, flavor="iso", output_dimension=4), pa.binary())


def parsed(wkb: pa.BinaryArray) -> Any:
    return shapely.from_wkb(wkb.to_numpy(zero_copy_only=False))


def scattered(texts: list[str], count: int) -> Iterator[Any]:
    """Yield many of the shapes, at other places and sizes, in a random order."""
    random = np.random.default_rng(7)
    chosen = shapely.from_wkt(np.array(texts, dtype=object)[random.integers(0, len(texts), count)])
    moves, sizes = random.uniform(-1e6, 1e6, (count, 2)), random.uniform(1, 1e3, count)
    for shape, move, size in zip(chosen, moves, sizes, strict=True):
        coordinates = shapely.get_coordinates(shape, include_z=shape.has_z)
        coordinates[:, :2] = coordinates[:, :2] * size + move
        yield shapely.set_coordinates(np.array([shape]), coordinates)[0]


@pytest.mark.parametrize("start", [0, 1, 5])
def test_clean_rows_are_reprojected_as_shapely_and_proj_do_it(start: int) -> None:
    shapes = np.array(list(scattered(CLEAN, 500)))
    wkb = wkb_of(shapes).slice(start)

    clean = clean_rows(wkb, headers(wkb), Reprojection(MERCATOR, DEGREES))

    transform = pyproj.Transformer.from_crs(3857, 4326, always_xy=True).transform
    expected = [shapely.force_3d(_moved(shape, transform), 0.0) for shape in shapes[start:]]
    assert clean.is_clean.all()
    assert shapely.equals_exact(shapely.force_3d(parsed(clean.wkb), 0.0), expected, 1e-12).all()
    assert (shapely.has_z(parsed(clean.wkb)) == shapely.has_z(shapes[start:])).all()
    assert np.allclose(clean.bounds, shapely.bounds(parsed(clean.wkb)), rtol=0, atol=0)


@pytest.mark.parametrize("text", NOT_CLEAN)
def test_what_needs_more_is_left_to_the_long_way(text: str) -> None:
    wkb = wkb_of(shapely.from_wkt([SQUARE, text, "POINT (1 2)"]))

    clean = clean_rows(wkb, headers(wkb), Reprojection(DEGREES, DEGREES))

    assert clean.is_clean.tolist() == [True, False, True]


@pytest.mark.parametrize(
    "text", ["POINT (1 91)", "POINT (400 2)", "LINESTRING (-179 0, 179 1)", "POINT (181 0)"]
)
def test_what_lies_oddly_on_the_globe_is_left_to_the_long_way(text: str) -> None:
    wkb = wkb_of(shapely.from_wkt([text]))

    assert not clean_rows(wkb, headers(wkb), Reprojection(DEGREES, DEGREES)).is_clean.any()


def test_nothing_at_all_is_no_trouble() -> None:
    for wkb in (pa.array([], pa.binary()), pa.array([None, None], pa.binary()), pa.array([b"", b"\x01"])):
        assert not clean_rows(wkb, headers(wkb), Reprojection(MERCATOR, DEGREES)).is_clean.any()


@pytest.mark.parametrize("text", CLEAN)
def test_a_cut_or_lengthened_geometry_is_never_read(text: str) -> None:
    [whole] = wkb_of(shapely.from_wkt([text])).to_pylist()
    broken = [whole[:size] for size in range(len(whole))] + [whole + b"\x00", whole + whole]
    wkb = pa.array([*broken, whole], pa.binary())

    assert WkbCoordinates(wkb, headers(wkb)).is_read.tolist() == [False] * len(broken) + [True]


@pytest.mark.parametrize("text", CLEAN)
def test_no_change_of_a_byte_leads_beyond_the_geometry(text: str) -> None:
    [whole] = wkb_of(shapely.from_wkt([text])).to_pylist()
    changed = [
        whole[:place] + bytes([value]) + whole[place + 1 :]
        for place in range(len(whole))
        for value in (0, 1, 2, 127, 255)
    ]
    wkb = pa.array(changed, pa.binary())

    coordinates = WkbCoordinates(wkb, headers(wkb))

    read = shapely.from_wkb(np.array(changed, dtype=object)[coordinates.is_read], on_invalid="ignore")
    counted = np.bincount(coordinates.runs.owner, coordinates.runs.count, len(changed))[coordinates.is_read]
    known = ~shapely.is_missing(read)
    assert (shapely.get_num_coordinates(read[known]) == counted[known]).all()
    assert (coordinates.runs.start + 16 * coordinates.runs.count <= sum(map(len, changed))).all()


def test_geometries_of_very_many_parts_are_left_to_geos() -> None:
    many = shapely.multilinestrings([[(n, 0), (n, 1)] for n in range(5_000)])

    wkb = wkb_of([many, shapely.from_wkt(SQUARE)])

    assert WkbCoordinates(wkb, headers(wkb)).is_read.tolist() == [False, True]


def _moved(shape: Any, transform: Any) -> Any:
    coordinates = shapely.get_coordinates(shape, include_z=shape.has_z)
    coordinates[:, 0], coordinates[:, 1] = transform(coordinates[:, 0], coordinates[:, 1])
    return shapely.set_coordinates(np.array([shape]), coordinates)[0]
