"""What a user reads who submits a vector file that cannot be published, and that nothing of it stays."""

import hashlib
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.acceptance.vector_jobs import assert_nothing_is_left, points, publish, rows_of, submit

if TYPE_CHECKING:
    from tests.factories.local_system import RunningSystem

GOOD = points(5)
# Of what cannot be compressed, more than an entry of an index may have.
LONG = "".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(200))


@pytest.mark.parametrize(
    ("parameters", "parameter", "told"),
    [
        ({"table_name": "select"}, "table_name", "reserved word"),
        ({"table_name": "x" * 64}, "table_name", "64 characters"),
        ({"table_name": 'a"b'}, "table_name", "lower-case letters"),
        ({"table_name": "Places"}, "table_name", "lower-case letters"),
        ({"table_name": "x; DROP TABLE geo.y"}, "table_name", "lower-case letters"),
        ({"table_name": ""}, "table_name", "lower-case letters"),
        ({"table_name": "pg_tables"}, "table_name", "pg_"),
        ({"schema": "app"}, "schema", "published in geo"),
        ({"schema": "pgstac"}, "schema", "published in geo"),
        ({"schema": "public"}, "schema", "published in geo"),
        ({"schema": "vector_staging"}, "schema", "published in geo"),
        ({"schema": "elsewhere"}, "schema", "published in geo"),
        ({"schema": "pg_catalog"}, "schema", "pg_"),
        ({"file_extension": "exe"}, "file_extension", "'csv'"),
        ({"file_extension": "shp", "blob_name": "a/b.shp"}, "file_extension", "only a part of a Shapefile"),
        ({"blob_name": "vectors/missing.geojsonl"}, "blob_name", "does not exist"),
        ({"blob_name": "../secrets.geojsonl"}, "blob_name", "segment . or .."),
        ({"container_name": "no-such-container"}, "container_name", "no container"),
        ({"chunk_size": 99}, "chunk_size", "100"),
        ({"chunk_size": 500_001}, "chunk_size", "500000"),
        ({"if_exists": "append"}, "if_exists", "'replace'"),
        ({"target_crs": "/etc/passwd"}, "target_crs", "EPSG"),
        ({"input_crs": "/etc/passwd"}, "input_crs", "EPSG"),
        ({"converter_params": {"lat_name": "y"}}, "converter_params", "does not go with"),
        ({"converter_params": {"latitude": "y"}}, "converter_params.latitude", "There is no such parameter"),
        (
            {"file_extension": "csv", "converter_params": {"lat_name": "y"}},
            "converter_params",
            "come together",
        ),
        ({"geometry_params": {"simplify": {"tolerance": -1}}}, "geometry_params.simplify.tolerance", "0"),
        ({"indexes": {"attributes": ["a", "a"]}}, "indexes.attributes", "twice"),
        ({"output_container": "bronze-vectors"}, "output_container", "sources"),
        ({"overwrite": True}, "overwrite", "There is no such parameter"),
    ],
)
def test_bad_input_is_refused_at_submission(
    terrane: "RunningSystem", parameters: dict[str, Any], parameter: str, told: str
) -> None:
    terrane.upload("vectors/good.geojsonl", GOOD, "bronze-vectors")
    given = {"blob_name": "vectors/good.geojsonl", "file_extension": "geojsonl", "table_name": "refused"}

    answer = terrane.submit("process_vector", **(given | parameters))

    assert answer.status == 422, answer.body
    [error] = [one for one in answer.body["errors"] if one["parameter"] == parameter]
    assert told in error["message"]


def test_every_violation_is_told_at_once(terrane: "RunningSystem") -> None:
    answer = terrane.submit(
        "process_vector", file_extension="xyz", table_name="table", schema="pg_x", chunk_size=1
    )

    assert {error["parameter"] for error in answer.body["errors"]} == {
        "blob_name",
        "file_extension",
        "table_name",
        "schema",
        "chunk_size",
    }


@pytest.mark.parametrize(
    ("if_exists", "role", "code"),
    [
        ("fail", "terrane_app", "table.exists"),
        ("fail", None, "table.foreign"),
        ("replace", None, "table.foreign"),
    ],
)
def test_a_table_that_no_job_has_published_is_not_touched(
    terrane: "RunningSystem", if_exists: str, role: str | None, code: str
) -> None:
    with psycopg.connect(terrane.variables["DATABASE_URL"]) as connection:
        if role:
            connection.execute("SET ROLE terrane_app")
        connection.execute("CREATE TABLE geo.refused AS SELECT 1 AS here")
    try:
        answer = submit(terrane, GOOD, if_exists=if_exists)

        assert (answer.status, answer.body["code"]) == (422, code)
        assert "geo.refused" in answer.body["detail"]
        assert rows_of(terrane, "SELECT here FROM geo.refused") == [{"here": 1}]
    finally:
        with psycopg.connect(terrane.variables["DATABASE_URL"]) as connection:
            connection.execute("DROP TABLE geo.refused")


def test_a_table_that_the_app_owns_and_no_job_is_replaced_on_request(terrane: "RunningSystem") -> None:
    with psycopg.connect(terrane.variables["DATABASE_URL"]) as connection:
        connection.execute("SET ROLE terrane_app")
        connection.execute("CREATE TABLE geo.unowned AS SELECT 1 AS here")

    job = publish(terrane, GOOD, table_name="unowned", if_exists="replace")

    assert job["status"] == "completed", job["error"]
    assert rows_of(terrane, "SELECT count(*) AS n FROM geo.unowned") == [{"n": 5}]


@pytest.mark.parametrize(
    ("content", "parameters", "code"),
    [
        (b'{"type": "FeatureCollection", "features": []}', {"file_extension": "geojson"}, "vector.empty"),
        (b"this is no vector file", {"file_extension": "gpkg"}, "vector."),
        (
            b'{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read /etc/passwd"}',
            {"file_extension": "geojson"},
            "vector.",
        ),
        (b"PK\x03\x04 cut off", {"file_extension": "zip"}, "vector."),
        (GOOD, {"indexes": {"attributes": ["nothing"]}}, "vector.index_column_unknown"),
        (points(3, flag=True), {"indexes": {"temporal": ["flag"]}}, "vector.index_column_not_temporal"),
        (points(3, text=LONG), {"indexes": {"attributes": ["text"]}}, "table.index_refused"),
    ],
)
def test_what_cannot_be_published_fails_with_a_code_and_leaves_nothing(
    terrane: "RunningSystem", content: bytes, parameters: dict[str, Any], code: str
) -> None:
    job = publish(terrane, content, **parameters)

    assert job["status"] == "failed"
    assert job["error"]["code"].startswith(code), job["error"]
    assert job["error"]["remedy"]
    assert_nothing_is_left(terrane, job["job_id"])
    assert terrane.query("SELECT to_regclass('geo.refused')::text") == [None]
