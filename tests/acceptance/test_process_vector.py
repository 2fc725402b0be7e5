"""A vector file goes in through HTTP and comes out as a table with a STAC item."""

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING

import psycopg
import pytest

from local.binaries import CHECKOUT
from tests.acceptance.vector_jobs import (
    assert_nothing_is_left,
    checksum,
    item_of,
    points,
    publish,
    rows_of,
    square,
    squares,
    submit,
)
from tests.fixtures.processes import wait_until
from tests.stac_validation import assert_valid_item

if TYPE_CHECKING:
    from tests.factories.local_system import RunningSystem

COUNTRIES = CHECKOUT / "samples" / "countries.zip"


def test_a_zipped_shapefile_becomes_a_table_with_an_item(terrane: "RunningSystem") -> None:
    job = publish(
        terrane,
        COUNTRIES.read_bytes(),
        file_extension="zip",
        table_name="countries",
        indexes={"attributes": ["name"]},
    )

    assert job["status"] == "completed", json.dumps(job["error"])
    result = job["result"]
    assert (result["rows_read"], result["rows_loaded"], result["rows_dropped"]) == (177, 177, 0)
    assert (result["table"], result["geometry_type"], result["srid"]) == (
        "geo.countries",
        "MultiPolygon",
        4326,
    )
    query = "SELECT count(*) AS n, bool_and(ST_IsValid(geom)) AS valid FROM geo.countries"
    assert rows_of(terrane, query) == [{"n": 177, "valid": True}]
    assert rows_of(terrane, "SELECT id FROM geo.countries WHERE name = 'Norway'") == [{"id": 22}]
    indexes = "SELECT indexdef FROM pg_indexes WHERE (schemaname, tablename) = ('geo', 'countries')"
    methods = sorted(row["indexdef"].partition("USING ")[2] for row in rows_of(terrane, indexes))
    assert methods == ["btree (id)", "btree (name)", "gist (geom)"]
    [comment] = rows_of(terrane, "SELECT obj_description('geo.countries'::regclass) AS text")
    assert job["job_id"] in comment["text"]
    assert "bronze-vectors/vectors/countries.zip" in comment["text"]


def test_the_item_of_a_table_says_what_it_is(terrane: "RunningSystem") -> None:
    job = publish(terrane, points(250), table_name="itemised", indexes={"temporal": []})

    item = item_of(terrane, job["result"])

    assert_valid_item(item)
    properties, data = item["properties"], item["assets"]["data"]
    assert (item["collection"], item["id"]) == ("system-vectors", "postgis-geo-itemised")
    assert (properties["app:job_id"], properties["app:job_type"]) == (job["job_id"], "process_vector")
    assert (properties["table:row_count"], properties["table:primary_geometry"]) == (250, "geom")
    assert [column["name"] for column in properties["table:columns"]] == ["id", "geom", "number", "name"]
    assert (data["href"], data["proj:code"]) == ("postgis://geo.itemised", "EPSG:4326")
    assert item["bbox"] == pytest.approx([-180, 0, 69, 89])
    assert properties["description"] == "250 features from itemised.geojsonl."
    [source] = [link for link in item["links"] if link["rel"] == "derived_from"]
    assert source["file:checksum"] == "1220" + hashlib.sha256(points(250)).hexdigest()
    assert properties["processing:facility"] == "Terrane"
    assert {"pyogrio", "shapely"} <= properties["processing:software"].keys()
    assert datetime.fromisoformat(properties["processing:datetime"]).tzinfo is not None
    assert properties["processing:lineage"].startswith("Read, repaired, reprojected")
    with terrane.blobs as service:
        picture = service.get_blob_client("silver-vectors", "geo/itemised_thumbnail.png")
        assert picture.download_blob().readall()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_result_accounts_for_every_row_and_byte(terrane: "RunningSystem") -> None:
    bad = {2: "x,10,bad", 4: "91,10,out", 5: "1,2", 7: "-95,10,out", 9: "?,9,bad"}
    lines = [bad.get(number, f"{number},{number},good {number}") for number in range(1, 13)]
    content = "\n".join(["lat,lon,Label", *lines]).encode()

    job = publish(
        terrane,
        content,
        file_extension="csv",
        table_name="accounted",
        converter_params={"max_bad_rows_percent": 50},
    )

    assert job["status"] == "completed", json.dumps(job["error"])
    result = job["result"]
    assert (result["rows_read"], result["rows_loaded"], result["rows_dropped"]) == (12, 7, 5)
    assert rows_of(terrane, "SELECT count(*) AS n FROM geo.accounted") == [{"n": 7}]
    dropped = {one["code"]: (one["count"], one["feature_ids"]) for one in result["dropped"]}
    assert dropped == {
        "vector.row_malformed": (1, [5]),
        "vector.coordinates_malformed": (2, [2, 9]),
        "vector.coordinates_out_of_range": (2, [4, 7]),
    }
    assert all(one["message"] for one in result["dropped"])
    assert result["columns"] == [
        {"name": name, "source_name": source, "type": kind, "precision": None, "scale": None, "note": None}
        for name, source, kind in (
            # A type is that of all rows of the file, those that are dropped among them.
            ("lat", "lat", "text"),
            ("lon", "lon", "bigint"),
            ("label", "Label", "text"),
        )
    ]
    assert result["column_count"] == 3
    assert result["nbytes"].keys() == {"source", "chunks", "table"}
    assert result["nbytes"]["source"] == len(content)
    assert min(result["nbytes"].values()) > 0
    assert result["seconds"].keys() >= {
        "fetch",
        "prepare",
        "open",
        "read",
        "geometry",
        "write",
        "upload",
        "index",
        "count",
        "draw",
    }
    assert min(result["seconds"].values()) >= 0
    assert result["left_behind"] == []


def test_indexes_that_a_table_had_from_others_are_told_of_when_it_is_replaced(
    terrane: "RunningSystem",
) -> None:
    publish(terrane, points(10), table_name="indexed")
    with psycopg.connect(terrane.variables["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("SET ROLE terrane_app")
        connection.execute("CREATE INDEX by_hand ON geo.indexed (number, name)")

    job = publish(terrane, points(20), table_name="indexed", if_exists="replace")

    assert job["status"] == "completed", json.dumps(job["error"])
    [index] = job["result"]["left_behind"]
    assert "by_hand" in index


def test_item_collection_and_indexes_are_as_asked(terrane: "RunningSystem") -> None:
    seen = ["2021-06-01T12:00:00Z", "2020-03-01T00:00:00+01:00", "2022-01-31T23:59:59Z"]
    features = [
        {
            "type": "Feature",
            "properties": {"Seen": moment, "day": f"2019-0{number}-15", "flag": True, "tags": [number, "x"]},
            "geometry": {"type": "Point", "coordinates": [number, number]},
        }
        for number, moment in enumerate(seen, 1)
    ]

    job = publish(
        terrane,
        "\n".join(json.dumps(feature) for feature in features).encode(),
        table_name="surveyed",
        collection_id="observations",
        item_id="surveyed-2021",
        indexes={"spatial": False, "temporal": ["Seen"], "attributes": ["flag", "tags"]},
    )

    assert job["status"] == "completed", json.dumps(job["error"])
    result = job["result"]
    assert (result["collection_id"], result["item_id"]) == ("observations", "surveyed-2021")
    item = item_of(terrane, result)
    assert_valid_item(item)
    assert (item["collection"], item["id"]) == ("observations", "surveyed-2021")
    properties = item["properties"]
    assert properties["datetime"] is None
    times = [datetime.fromisoformat(properties[key]) for key in ("start_datetime", "end_datetime")]
    assert times == [datetime.fromisoformat("2020-02-29T23:00:00Z"), datetime.fromisoformat(seen[2])]
    indexes = "SELECT indexdef FROM pg_indexes WHERE (schemaname, tablename) = ('geo', 'surveyed')"
    methods = sorted(row["indexdef"].partition("USING ")[2] for row in rows_of(terrane, indexes))
    assert methods == ["brin (seen)", "btree (flag)", "btree (id)", "btree (tags)"]


def test_nothing_intermediate_stays_of_a_completed_job(terrane: "RunningSystem") -> None:
    job = publish(terrane, points(1_000), table_name="tidy", chunk_size=100)

    assert job["result"]["chunks"] == 10
    live = terrane.query(
        "SELECT location FROM app.artifacts WHERE job_id = %s AND state = 'live' ORDER BY location",
        job["job_id"],
    )
    assert live == ["geo.tidy", "silver-vectors/geo/tidy_thumbnail.png", "system-vectors/postgis-geo-tidy"]
    wait_until(lambda: terrane.request("GET", f"/api/jobs/{job['job_id']}").body["cleanup"] == "done", 60)
    staged = terrane.query("SELECT tablename FROM pg_tables WHERE schemaname = 'vector_staging'")
    with terrane.blobs as service:
        temporary = service.get_container_client("rmhazuregeotemp")
        left = list(temporary.list_blobs(name_starts_with=f"temp/vector_etl/{job['job_id']}/"))
    assert (staged, left) == ([], [])


def test_one_file_gives_the_same_table_in_whatever_chunks(terrane: "RunningSystem") -> None:
    sizes = {"at_once": None, "small": 100, "large": 450}
    for name, size in sizes.items():
        publish(terrane, points(500), table_name=name, chunk_size=size)

    assert len({checksum(terrane, name) for name in sizes}) == 1


def test_a_type_that_only_the_last_row_tells_is_that_of_all_rows(terrane: "RunningSystem") -> None:
    last = {19_998: square(1, "MultiPolygon"), 19_999: square(2, "MultiPolygon", [5])}
    content = squares(20_000, {1: {"type": "Polygon", "coordinates": []}, 2: None} | last)
    options = {"geometry_params": {"empty": "keep", "null": "keep"}}
    at_once = publish(terrane, content, table_name="rising_at_once", **options)
    by_tasks = publish(terrane, content, table_name="rising_by_tasks", chunk_size=1_000, **options)

    assert (at_once["error"], by_tasks["error"]) == (None, None)
    for job in (at_once, by_tasks):
        assert job["result"]["geometry_type"] == "MultiPolygonZ"
        assert job["result"]["rows_loaded"] == 20_000
    # Some chunks were in the table before the type was known.
    assert at_once["result"]["chunks"] > 2
    assert terrane.tasks(at_once["job_id"], 2) == []
    assert checksum(terrane, "rising_at_once") == checksum(terrane, "rising_by_tasks")
    # Ids of rows that people add later begin behind those of the file.
    with psycopg.connect(terrane.variables["DATABASE_URL"]) as connection:
        row = connection.execute("INSERT INTO geo.rising_at_once (number) VALUES (0) RETURNING id").fetchone()
        connection.rollback()
    assert row == (20_001,)


def test_a_file_whose_last_row_is_of_another_kind_is_read_again(terrane: "RunningSystem") -> None:
    line = {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}
    content = squares(20_000, {10: square(10, "MultiPolygon"), 19_999: line})
    at_once = publish(terrane, content, table_name="mixed_at_once")
    by_tasks = publish(terrane, content, table_name="mixed_by_tasks", chunk_size=1_000)

    assert (at_once["error"], by_tasks["error"]) == (None, None)
    assert {job["result"]["geometry_type"] for job in (at_once, by_tasks)} == {"Geometry"}
    assert len(terrane.tasks(at_once["job_id"], 2)) == at_once["result"]["chunks"] > 2
    assert checksum(terrane, "mixed_at_once") == checksum(terrane, "mixed_by_tasks")


def test_a_completed_job_is_found_again_and_runs_again_on_request(terrane: "RunningSystem") -> None:
    first = publish(terrane, points(120), table_name="repeated")
    before = checksum(terrane, "repeated")

    again = submit(terrane, None, table_name="repeated")
    rerun = submit(terrane, None, table_name="repeated", rerun=True)
    job = terrane.ended(rerun.body["job_id"])

    assert (again.status, again.body["job_id"]) == (200, first["job_id"])
    assert (rerun.status, job["status"], job["revision"]) == (202, "completed", 2)
    assert checksum(terrane, "repeated") == before


def test_an_item_is_replaced_with_its_own_table_only(terrane: "RunningSystem") -> None:
    publish(terrane, points(10), table_name="shown", item_id="shown-by-hand")

    refused = submit(terrane, points(20), table_name="unseen", item_id="shown-by-hand", if_exists="replace")
    replaced = publish(terrane, points(20), table_name="shown", item_id="shown-by-hand", if_exists="replace")

    [violation] = refused.body["errors"]
    assert (refused.status, violation["parameter"]) == (422, "item_id")
    assert "system-vectors/shown-by-hand shows geo.shown" in violation["message"]
    assert replaced["status"] == "completed"


def test_a_place_that_another_job_owns_is_taken_over_only_on_request(terrane: "RunningSystem") -> None:
    first = publish(terrane, points(10), table_name="owned")

    refused = submit(terrane, points(20), table_name="owned", chunk_size=200)
    replaced = publish(terrane, points(20), table_name="owned", chunk_size=200, if_exists="replace")

    assert (refused.status, refused.body["code"]) == (409, "artifact.owned")
    assert first["job_id"] in refused.body["detail"]
    assert replaced["status"] == "completed"
    assert rows_of(terrane, "SELECT count(*) AS n FROM geo.owned") == [{"n": 20}]
    former = terrane.request("GET", f"/api/jobs/{first['job_id']}").body
    assert former["superseded_by"] == replaced["job_id"]


def test_readers_go_on_through_a_replacement(terrane: "RunningSystem") -> None:
    publish(terrane, points(10), table_name="served")
    with psycopg.connect(terrane.variables["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("SET ROLE terrane_app")
        connection.execute("CREATE VIEW geo.seen AS SELECT name FROM geo.served")
        connection.execute("GRANT SELECT ON geo.served TO PUBLIC")

    job = publish(terrane, points(30), table_name="served", chunk_size=300, if_exists="replace")

    assert job["status"] == "completed", job["error"]
    assert rows_of(terrane, "SELECT count(*) AS n FROM geo.seen") == [{"n": 30}]
    may = "SELECT has_table_privilege('public', 'geo.served', 'SELECT') AS may"
    assert rows_of(terrane, may) == [{"may": True}]


def test_what_depends_on_a_table_and_cannot_be_kept_refuses_its_replacement(terrane: "RunningSystem") -> None:
    publish(terrane, points(10), table_name="depended")
    with psycopg.connect(terrane.variables["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE MATERIALIZED VIEW geo.copied AS SELECT * FROM geo.depended")

    job = publish(terrane, points(30), table_name="depended", chunk_size=300, if_exists="replace")

    assert (job["status"], job["error"]["code"]) == ("failed", "table.dependents")
    assert "geo.copied" in job["error"]["message"]
    assert rows_of(terrane, "SELECT count(*) AS n FROM geo.depended") == [{"n": 10}]
    assert_nothing_is_left(terrane, job["job_id"])


def test_names_and_values_that_are_sql_are_only_text(terrane: "RunningSystem") -> None:
    evil = "'); DROP TABLE geo.countries; --"

    job = publish(terrane, points(5, **{evil: evil, "select": 1, "ID": 7}), table_name="evil")

    assert job["status"] == "completed", job["error"]
    columns = {column["source_name"]: column["name"] for column in job["result"]["columns"]}
    assert columns == {
        "number": "number",
        "name": "name",
        evil: "drop_table_geo_countries",
        "select": "f_select",
        "ID": "src_id",
    }
    [row] = rows_of(terrane, "SELECT DISTINCT drop_table_geo_countries AS value, src_id FROM geo.evil")
    assert (row["value"], row["src_id"]) == (evil, 7)
    comment = "SELECT col_description('geo.evil'::regclass, 5) AS text"
    assert evil in rows_of(terrane, comment)[0]["text"]
