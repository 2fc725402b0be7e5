"""Headers of WKB read as arrays, and geometries made to fit a typmod."""

import numpy as np
import pyarrow as pa
import pytest
import shapely

from services.vector.wkb import TypeSet, conform, headers

CIRCULAR = bytes.fromhex("0108000000" + "03000000" + "00" * 48)
TIN = bytes.fromhex("01f803000000000000")


def iso(*texts: str | None) -> pa.BinaryArray:
    geometries = shapely.from_wkt(np.array(texts, dtype=object))
    return pa.array(shapely.to_wkb(geometries, byte_order=1, flavor="iso", output_dimension=4), pa.binary())


def test_headers_tell_type_and_dimensions() -> None:
    wkb = pa.concat_arrays(
        [
            iso("POINT (1 2)", "POLYGON Z ((0 0 1, 1 0 1, 1 1 1, 0 0 1))", "POINT M (1 2 3)", None),
            pa.array([CIRCULAR, TIN, b""]),
        ]
    )

    found = headers(wkb)

    assert found.base.tolist() == [1, 3, 1, 0, 8, 16, 0]
    assert found.has_z.tolist() == [False, True, False, False, False, True, False]
    assert found.has_m.tolist() == [False, False, True, False, False, False, False]
    assert found.is_null.tolist() == [False, False, False, True, False, False, False]
    assert found.is_simple.tolist() == [True, True, False, False, False, False, False]


def test_extended_and_big_endian_headers_are_read_as_well() -> None:
    point = shapely.set_srid(shapely.from_wkt("POINT Z (1 2 3)"), 4326)
    wkb = pa.array(
        [
            shapely.to_wkb(point, include_srid=True, flavor="extended"),
            shapely.to_wkb(point, byte_order=0, flavor="iso"),
        ]
    )

    found = headers(wkb)

    assert found.base.tolist() == [1, 1]
    assert found.has_z.tolist() == [True, True]
    assert found.is_plain.tolist() == [False, False]


@pytest.mark.parametrize(
    ("wkb", "typmod"),
    [
        (iso("POINT (1 2)"), "Point"),
        (iso("POINT (1 2)", None), "Point"),
        (iso("POINT Z (1 2 3)", "POINT (1 2)"), "PointZ"),
        (iso("LINESTRING (0 0, 1 1)", "MULTILINESTRING ((0 0, 1 1))"), "MultiLineString"),
        (iso("POINT (1 2)", "LINESTRING (0 0, 1 1)"), "Geometry"),
        (iso("GEOMETRYCOLLECTION (POINT (1 2))"), "GeometryCollection"),
        (iso("POINT (1 2)", "POINT M (1 2 3)"), "PointM"),
        (pa.array([CIRCULAR]), "LineString"),
        (pa.array([TIN]), "MultiPolygonZ"),
    ],
)
def test_the_typmod_is_the_tightest_that_takes_all(wkb: pa.BinaryArray, typmod: str) -> None:
    types = TypeSet()
    types.add(headers(wkb))

    assert types.typmod == typmod


def test_rows_that_fit_are_passed_on_as_they_are() -> None:
    wkb = iso("POINT (1 2)", None)

    assert conform(wkb, "Point") is wkb


@pytest.mark.parametrize("start", [0, 1, 2])
def test_singles_become_collections_of_one(start: int) -> None:
    texts = [
        "POLYGON ((0 0, 1 0, 1 1, 0 0))",
        None,
        "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))",
        "POLYGON ((0 0, 1 0, 1 1, 0 0))",
    ]

    promoted = conform(iso(*texts).slice(start), "MultiPolygon")

    promoted.validate(full=True)
    kinds = [shape and shape.geom_type for shape in shapely.from_wkb(promoted.to_numpy(zero_copy_only=False))]
    assert kinds == ["MultiPolygon", None, "MultiPolygon", "MultiPolygon"][start:]


def test_heights_are_added_where_some_rows_have_them() -> None:
    fitted = conform(iso("POINT (1 2)", None, "MULTIPOINT Z (1 2 3)"), "MultiPointZ")

    assert shapely.to_wkt(shapely.from_wkb(fitted.to_numpy(zero_copy_only=False))).tolist() == [
        "MULTIPOINT Z ((1 2 0))",
        None,
        "MULTIPOINT Z ((1 2 3))",
    ]


@pytest.mark.parametrize(
    ("text", "typmod", "fitted"),
    [
        ("POLYGON EMPTY", "MultiPolygon", "MULTIPOLYGON EMPTY"),
        ("MULTIPOLYGON EMPTY", "MultiPolygon", "MULTIPOLYGON EMPTY"),
        ("POINT EMPTY", "MultiPoint", "MULTIPOINT EMPTY"),
        ("POINT EMPTY", "Point", "POINT EMPTY"),
        ("LINESTRING EMPTY", "Geometry", "LINESTRING EMPTY"),
    ],
)
def test_what_has_no_point_becomes_the_empty_geometry_of_the_type(
    text: str, typmod: str, fitted: str
) -> None:
    points = conform(iso("POINT (1 2)", None, text), typmod) if typmod.endswith("Point") else None
    [alone] = conform(iso(text), typmod).to_pylist()

    assert shapely.to_wkt(shapely.from_wkb(alone)) == fitted
    assert points is None or points[2].as_py() == alone


@pytest.mark.parametrize(
    ("text", "typmod", "header"),
    [
        ("POLYGON EMPTY", "MultiPolygonZ", "01ee03000000000000"),
        ("MULTIPOLYGON EMPTY", "MultiPolygonZ", "01ee03000000000000"),
        ("GEOMETRYCOLLECTION EMPTY", "GeometryZ", "01ef03000000000000"),
        ("POINT EMPTY", "PointZ", "01e9030000" + "000000000000f87f" * 3),
    ],
)
def test_what_has_no_point_has_heights_where_the_table_has(text: str, typmod: str, header: str) -> None:
    assert conform(iso(text), typmod).to_pylist() == [bytes.fromhex(header)]


def test_measures_are_left_to_the_sql_path() -> None:
    with pytest.raises(ValueError, match="PointM"):
        conform(iso("POINT (1 2)"), "PointM")
