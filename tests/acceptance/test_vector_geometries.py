"""Geometries of every type on their way from a file of text into PostGIS."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.vector_jobs import item_of, publish, rows_of
from tests.stac_validation import assert_valid_item

if TYPE_CHECKING:
    from tests.factories.local_system import RunningSystem

ARC = "CIRCULARSTRING (0 0, 1 1, 2 0)"
DISC = "CURVEPOLYGON (CIRCULARSTRING (0 0, 2 0, 2 2, 0 2, 0 0))"
TIN = "TIN Z (((0 0 0, 0 0 1, 0 1 0, 0 0 0)), ((0 0 0, 0 1 0, 1 1 0, 0 0 0)))"
BOWTIE = "POLYGON ((0 0, 2 2, 2 0, 0 2, 0 0))"
SQUARE = "POLYGON ((4 4, 5 4, 5 5, 4 5, 4 4))"


def csv_of(*texts: str) -> bytes:
    rows = [f'{number},"{text}"' for number, text in enumerate(texts)]
    return "\n".join(["number,shape", *rows]).encode()


def load(terrane: "RunningSystem", table: str, *texts: str, **parameters: Any) -> dict[str, Any]:
    """Publish texts as a table and return the job's result."""
    given = {"input_crs": "EPSG:4326", "converter_params": {"wkt_column": "shape"}} | parameters
    job = publish(terrane, csv_of(*texts), file_extension="csv", table_name=table, **given)
    assert job["status"] == "completed", json.dumps(job["error"])
    result: dict[str, Any] = job["result"]
    return result


@pytest.mark.parametrize(
    ("name", "texts", "expected"),
    [
        ("points", ["POINT (1 2)", "POINT (3 4)"], ("Point", ["ST_Point"])),
        ("mixed_points", ["POINT (1 2)", "MULTIPOINT (3 4, 5 6)"], ("MultiPoint", ["ST_MultiPoint"])),
        ("heights", ["POINT Z (1 2 3)", "POINT (3 4)"], ("PointZ", ["ST_Point"])),
        ("measures", ["POINT M (1 2 3)", "POINT M (4 5 6)"], ("PointM", ["ST_Point"])),
        ("both", ["LINESTRING ZM (1 2 3 4, 5 6 7 8)"], ("LineStringZM", ["ST_LineString"])),
        ("arcs", [ARC, "LINESTRING (5 5, 6 6)"], ("LineString", ["ST_LineString"])),
        ("discs", [DISC, SQUARE], ("MultiPolygon", ["ST_MultiPolygon"])),
        ("surfaces", [TIN], ("MultiPolygonZ", ["ST_MultiPolygon"])),
        (
            "anything",
            [ARC, SQUARE, "POINT (1 2)"],
            ("Geometry", ["ST_LineString", "ST_Point", "ST_Polygon"]),
        ),
        (
            "collections",
            [f"GEOMETRYCOLLECTION (POINT (1 2), {SQUARE})"],
            ("GeometryCollection", ["ST_GeometryCollection"]),
        ),
    ],
)
def test_a_table_has_the_tightest_type_that_takes_every_row(
    terrane: "RunningSystem", name: str, texts: list[str], expected: tuple[str, list[str]]
) -> None:
    result = load(terrane, f"shapes_{name}", *texts)

    column, types = expected
    [row] = rows_of(
        terrane,
        "SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attname = 'geom'",
        f"geo.shapes_{name}",
    )
    found = terrane.query(
        f"SELECT DISTINCT ST_GeometryType(geom) FROM geo.shapes_{name} ORDER BY 1"  # noqa: S608 - our own name
    )
    assert (result["rows_loaded"], result["rows_dropped"]) == (len(texts), 0)
    assert (row["type"], found) == (f"geometry({column},4326)", types)
    assert_valid_item(item_of(terrane, result))


def test_what_postgis_did_is_counted_and_what_it_could_not_use_is_named(terrane: "RunningSystem") -> None:
    result = load(
        terrane, "counted", DISC, BOWTIE, f"{SQUARE}", TIN, "POLYGON M ((0 0 1, 2 2 1, 2 0 1, 0 2 1, 0 0 1))"
    )

    assert (result["rows_read"], result["rows_loaded"]) == (5, 5)
    assert result["repaired"]["linearised"] == 1
    assert result["repaired"]["faces"] == 1
    assert result["repaired"]["made_valid"] >= 1


def test_measures_and_heights_go_on_request(terrane: "RunningSystem") -> None:
    result = load(terrane, "flat", "POINT ZM (1 2 3 4)", "POINT Z (1 2 3)", dimensions="2d")

    assert result["geometry_type"] == "Point"
    assert terrane.query("SELECT DISTINCT ST_NDims(geom) FROM geo.flat") == [2]


def test_a_table_lies_in_the_crs_that_was_asked_for(terrane: "RunningSystem") -> None:
    result = load(terrane, "projected", "POINT (9 51)", "POINT M (9.5 51.5 7)", target_crs="EPSG:25832")

    item = item_of(terrane, result)
    assert_valid_item(item)
    placed = rows_of(
        terrane, "SELECT ST_SRID(geom) AS srid, round(ST_X(geom)) AS x FROM geo.projected ORDER BY id"
    )
    assert [(row["srid"], int(row["x"])) for row in placed] == [(25832, 500_000), (25832, 534_706)]
    assert item["bbox"] == pytest.approx([9, 51, 9.5, 51.5], abs=1e-6)
    data = item["assets"]["data"]
    assert data["proj:code"] == "EPSG:25832"
    assert data["proj:bbox"][0] == pytest.approx(500_000, abs=1)


@pytest.mark.parametrize(("percent", "status"), [(10, "completed"), (9, "failed")])
def test_rows_that_postgis_cannot_use_count_as_damaged(
    terrane: "RunningSystem", percent: int, status: str
) -> None:
    unprojectable = "POINT M (-170 -52 1)"

    job = publish(
        terrane,
        csv_of(*["POINT M (9 51 1)"] * 9, unprojectable),
        file_extension="csv",
        table_name=f"damaged_{percent}",
        input_crs="EPSG:4326",
        target_crs="EPSG:3035",
        converter_params={"wkt_column": "shape", "max_bad_rows_percent": percent},
    )

    assert job["status"] == status, json.dumps(job["error"])
    if status == "failed":
        assert "1 of 10 rows cannot be used, more than 9 %" in json.dumps(job["error"])
    else:
        [dropped] = job["result"]["dropped"]
        assert (dropped["code"], dropped["feature_ids"]) == ("vector.geometry_unusable", [10])
