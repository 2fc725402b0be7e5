"""Vector items and their tables are listed, taken back, and put back, through HTTP."""

import json
from typing import Any

from tests.acceptance.test_unpublish_raster import REMOVED, catalogue, run
from tests.acceptance.vector_jobs import wait_until_clean
from tests.factories.local_system import RunningSystem

PLACES = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"name": f"place {number}"},
            "geometry": {"type": "Point", "coordinates": [number, 50 + number]},
        }
        for number in range(3)
    ],
}


def publish(terrane: RunningSystem, table: str) -> dict[str, Any]:
    with terrane.blobs as service:
        blob = service.get_blob_client("bronze-vectors", f"unpublish/{table}.geojson")
        blob.upload_blob(json.dumps(PLACES).encode(), overwrite=True)
    receipt = terrane.submit(
        "process_vector",
        blob_name=f"unpublish/{table}.geojson",
        container_name="bronze-vectors",
        file_extension="geojson",
        table_name=table,
    )
    assert receipt.status == 202, receipt.body
    job = terrane.ended(receipt.body["job_id"])
    assert job["status"] == "completed", json.dumps(job["error"])
    return job


def named(terrane: RunningSystem, table: str) -> dict[str, Any]:
    """Return the item of a table, as a request names it."""
    [location] = terrane.query(
        "SELECT i.location FROM app.artifacts t JOIN app.artifacts i USING (job_id) "
        "WHERE t.location = %s AND t.state = 'live' AND i.kind = 'item' AND i.state = 'live'",
        f"geo.{table}",
    )
    collection_id, _, item_id = location.partition("/")
    return {"collection_id": collection_id, "stac_item_id": item_id}


def tables(terrane: RunningSystem) -> list[Any]:
    """Return every relation outside the system's schemas, with its definition and privileges."""
    return terrane.query(
        "SELECT concat_ws(' ', n.nspname, c.relname, c.relkind, c.relacl, obj_description(c.oid, 'pg_class'))"
        "  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname IN ('geo', 'vector_trash') AND c.relkind IN ('r', 'v', 'm', 'i', 'S') ORDER BY 1"
    )


def content(terrane: RunningSystem, table: str) -> list[Any]:
    return terrane.query(f"SELECT t::text FROM geo.{table} t ORDER BY id")  # noqa: S608 - the test's own name


def test_a_table_goes_with_its_item_and_comes_back_as_it_was(terrane: RunningSystem) -> None:
    publish(terrane, "places")
    terrane.execute("GRANT SELECT ON geo.places TO PUBLIC")
    item = named(terrane, "places")
    before = tables(terrane), catalogue(terrane), content(terrane, "places")

    listed = run(terrane, "unpublish_vector", **item)["result"]
    unchanged = tables(terrane), catalogue(terrane), content(terrane, "places")
    removed = run(terrane, "unpublish_vector", **item, dry_run=False)["result"]
    gone = terrane.query("SELECT to_regclass('geo.places')::text")
    run(terrane, "restore_unpublished", audit_id=removed["audit"][0]["id"])

    assert unchanged == before
    assert {name: removed[name] for name in REMOVED} == {name: listed[name] for name in REMOVED}
    assert [(entry["table"], entry["rows"]) for entry in listed["tables"]] == [("geo.places", 3)]
    assert [entry["location"].partition("/")[0] for entry in listed["blobs"]] == ["silver-vectors"]
    assert listed["kept"] == []
    assert gone == [None]
    assert (tables(terrane), catalogue(terrane), content(terrane, "places")) == before
    assert named(terrane, "places") == item


def test_a_table_can_be_named_and_views_that_read_it_need_cascade(terrane: RunningSystem) -> None:
    publish(terrane, "observed")
    terrane.execute("CREATE VIEW geo.observing AS SELECT name FROM geo.observed")
    terrane.execute("ALTER VIEW geo.observing OWNER TO terrane_app")

    listed = run(terrane, "unpublish_vector", table_name="observed")["result"]
    receipt = terrane.submit("unpublish_vector", table_name="observed", dry_run=False)
    refused = terrane.ended(receipt.body["job_id"])
    # Until it has been cleaned up after, its places are its own.
    wait_until_clean(terrane, receipt.body["job_id"])
    standing = content(terrane, "observed")
    removed = run(terrane, "unpublish_vector", table_name="observed", dry_run=False, cascade=True)["result"]
    gone = terrane.query("SELECT to_regclass('geo.observing')::text")
    run(terrane, "restore_unpublished", audit_id=removed["audit"][0]["id"])

    assert listed["tables"][0]["views"] == ["geo.observing"]
    assert (refused["status"], refused["error"]["code"]) == ("failed", "table.dependents")
    assert "geo.observing" in refused["error"]["message"]
    assert len(standing) == 3
    assert gone == [None]
    assert len(terrane.query("SELECT name FROM geo.observing")) == 3


def test_a_table_that_is_to_stay_stays(terrane: RunningSystem) -> None:
    publish(terrane, "staying")

    result = run(terrane, "unpublish_vector", **named(terrane, "staying"), drop_table=False, dry_run=False)

    assert result["result"]["tables"] == []
    assert ("asked", "postgis://geo.staying") in [
        (entry["reason"], entry["href"]) for entry in result["result"]["kept"]
    ]
    assert len(content(terrane, "staying")) == 3


def test_without_grace_a_table_is_dropped(terrane: RunningSystem) -> None:
    publish(terrane, "dropped")

    run(terrane, "unpublish_vector", table_name="dropped", dry_run=False, grace_days=0)

    assert not [line for line in tables(terrane) if "dropped" in line]


def test_a_table_outside_the_published_schemas_is_never_touched(terrane: RunningSystem) -> None:
    publish(terrane, "honest")
    item = named(terrane, "honest")
    terrane.query(
        "SELECT pgstac.upsert_item(jsonb_set(jsonb_set(pgstac.get_item(%s, %s), '{id}', '\"forged\"'),"
        " '{assets,data,href}', '\"postgis://app.jobs\"'))",
        item["stac_item_id"],
        item["collection_id"],
    )

    result = run(
        terrane,
        "unpublish_vector",
        collection_id=item["collection_id"],
        stac_item_id="forged",
        dry_run=False,
    )["result"]

    assert result["tables"] == []
    assert terrane.query("SELECT id FROM pgstac.items WHERE id = 'forged'") == []
    assert ("protected", "postgis://app.jobs") in [
        (entry["reason"], entry["href"]) for entry in result["kept"]
    ]
    assert terrane.query("SELECT count(*) > 0 FROM app.jobs") == [True]


def test_the_trash_is_emptied_when_its_grace_is_over(terrane: RunningSystem) -> None:
    publish(terrane, "overdue")
    removed = run(terrane, "unpublish_vector", table_name="overdue", dry_run=False)["result"]
    [audit] = removed["audit"]
    terrane.query(
        "UPDATE app.unpublished_jobs SET purge_after = now() - interval '1 hour' WHERE id = %s RETURNING 1",
        audit["id"],
    )

    swept = terrane.request("POST", "/api/cleanup/run?type=prune")

    assert swept.status == 200, swept.body
    assert not [line for line in tables(terrane) if "overdue" in line]
    [record] = terrane.query(
        "SELECT purged_at IS NOT NULL FROM app.unpublished_jobs WHERE id = %s", audit["id"]
    )
    assert record
    assert terrane.submit("restore_unpublished", audit_id=audit["id"]).status == 422
