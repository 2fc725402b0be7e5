"""What was published is listed, taken back, and put back, through HTTP."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import pytest

from local.binaries import CHECKOUT
from tests.factories.local_system import RunningSystem
from tests.fixtures.processes import wait_until

SAMPLE = CHECKOUT / "samples" / "jacksboro_fault_dem.tif"
REMOVED = ("items", "blobs", "tables", "collections", "kept")


@dataclass(frozen=True)
class Published:
    """A raster that went through `process_raster_v2`."""

    job: dict[str, Any]
    parameters: dict[str, Any]

    @property
    def named(self) -> dict[str, Any]:
        result = self.job["result"]
        return {"collection_id": result["collection_id"], "stac_item_id": result["item_id"]}


def publish(terrane: RunningSystem, name: str, collection_id: str = "system-rasters") -> Published:
    terrane.upload(f"unpublish/{name}.tif", SAMPLE.read_bytes())
    parameters = {
        "container_name": "bronze-rasters",
        "blob_name": f"unpublish/{name}.tif",
        "collection_id": collection_id,
    }
    receipt = terrane.submit("process_raster_v2", **parameters)
    job = terrane.ended(receipt.body["job_id"])
    assert job["status"] == "completed", json.dumps(job["error"])
    return Published(job, parameters)


def run(terrane: RunningSystem, job_type: str, **parameters: Any) -> dict[str, Any]:
    receipt = terrane.submit(job_type, **parameters)
    assert receipt.status == 202, receipt.body
    job = terrane.ended(receipt.body["job_id"])
    assert job["status"] == "completed", json.dumps(job["error"])
    cleaned(terrane, job["job_id"])
    return job


def cleaned(terrane: RunningSystem, job_id: str) -> None:
    """Wait until the clean-up after a job is over."""
    wait_until(lambda: terrane.request("GET", f"/api/jobs/{job_id}").body["cleanup"] in ("none", "done"), 60)


def blobs(terrane: RunningSystem, container: str = "silver-cogs") -> dict[str, str]:
    """Return the checksum of every blob of a container, by name."""
    with terrane.blobs as service:
        client = service.get_container_client(container)
        return {
            name: hashlib.sha256(client.download_blob(name).readall()).hexdigest()
            for name in client.list_blob_names()
        }


def catalogue(terrane: RunningSystem) -> list[Any]:
    """Return every collection and item as they are stored."""
    collections = terrane.query("SELECT content::text FROM pgstac.collections ORDER BY id")
    return collections + terrane.query(
        "SELECT pgstac.get_item(id, collection)::text FROM pgstac.items ORDER BY collection, id"
    )


def rows(terrane: RunningSystem) -> list[Any]:
    """Return who owns what, and the audit."""
    return terrane.query("SELECT a::text FROM app.artifacts a ORDER BY artifact_id") + terrane.query(
        "SELECT u::text FROM app.unpublished_jobs u ORDER BY id"
    )


def test_a_dry_run_is_the_default_changes_nothing_and_lists_what_a_real_run_removes(
    terrane: RunningSystem,
) -> None:
    published = publish(terrane, "dry")
    before = blobs(terrane), catalogue(terrane), rows(terrane)

    listed = run(terrane, "unpublish_raster", **published.named)["result"]

    assert (blobs(terrane), catalogue(terrane), rows(terrane)) == before
    assert listed["dry_run"]
    assets = published.job["result"]["assets"].values()
    assert {entry["location"] for entry in listed["blobs"]} == {
        f"silver-cogs/{href.partition('/silver-cogs/')[2]}" for href in assets
    }
    removed = run(terrane, "unpublish_raster", **published.named, dry_run=False)["result"]
    assert {name: removed[name] for name in REMOVED} == {name: listed[name] for name in REMOVED}
    assert removed["nbytes"] == listed["nbytes"] > 0


def test_what_was_unpublished_is_gone_audited_and_published_again(terrane: RunningSystem) -> None:
    published = publish(terrane, "again")
    names = [entry.partition("/silver-cogs/")[2] for entry in published.job["result"]["assets"].values()]

    job = run(terrane, "unpublish_raster", **published.named, dry_run=False)

    there = blobs(terrane)
    assert not [name for name in names if name in there]
    assert [name for name in there if name.startswith(f"trash/{job['job_id']}/1/")]
    assert "unpublish/again.tif" in blobs(terrane, "bronze-rasters")
    [audit] = terrane.request("GET", f"/api/dbadmin/unpublished?unpublish_job_id={job['job_id']}").body[
        "items"
    ]
    assert audit["original_job_id"] == published.job["job_id"]
    assert audit["original_job_type"] == "process_raster_v2"
    assert audit["original_parameters"]["blob_name"] == "unpublish/again.tif"
    assert (audit["stac_item_id"], audit["collection_deleted"]) == (published.named["stac_item_id"], False)
    original = terrane.request("GET", f"/api/jobs/{published.job['job_id']}").body
    assert original["unpublished_at"] is not None
    again = terrane.submit("process_raster_v2", **published.parameters)
    assert (again.status, again.body["revision"]) == (202, 2)
    assert terrane.ended(again.body["job_id"])["status"] == "completed"
    assert set(names) <= set(blobs(terrane))


def test_what_was_unpublished_is_restored_byte_for_byte(terrane: RunningSystem) -> None:
    published = publish(terrane, "restored", "restored-collection")
    before = blobs(terrane), catalogue(terrane)
    removed = run(terrane, "unpublish_raster", **published.named, dry_run=False)["result"]
    assert removed["collections"] == ["restored-collection"]
    gone = catalogue(terrane)
    [audit] = removed["audit"]

    result = run(terrane, "restore_unpublished", audit_id=audit["id"])["result"]

    assert gone != before[1]
    after = {name: checksum for name, checksum in blobs(terrane).items() if not name.startswith("trash/")}
    wanted = {name: checksum for name, checksum in before[0].items() if not name.startswith("trash/")}
    assert after == wanted
    assert catalogue(terrane) == before[1]
    assert result["original_job_id"] == published.job["job_id"]
    assert terrane.submit("process_raster_v2", **published.parameters).status == 200
    again = terrane.submit("restore_unpublished", audit_id=audit["id"])
    assert again.status == 422
    assert again.body["errors"][0]["parameter"] == "audit_id"
    assert run(terrane, "unpublish_raster", **published.named)["result"]["blobs"] != []


def test_a_restoration_names_what_is_in_its_way(terrane: RunningSystem) -> None:
    published = publish(terrane, "obstacle")
    removed = run(terrane, "unpublish_raster", **published.named, dry_run=False)["result"]
    again = terrane.submit("process_raster_v2", **published.parameters)
    assert terrane.ended(again.body["job_id"])["status"] == "completed"

    receipt = terrane.submit("restore_unpublished", audit_id=removed["audit"][0]["id"])
    job = terrane.ended(receipt.body["job_id"])

    assert (job["status"], job["error"]["code"]) == ("failed", "unpublish.in_the_way")
    assert published.named["stac_item_id"] in job["error"]["message"]


def test_without_grace_nothing_is_kept(terrane: RunningSystem) -> None:
    published = publish(terrane, "at-once")

    job = run(terrane, "unpublish_raster", **published.named, dry_run=False, grace_days=0)

    assert not [name for name in blobs(terrane) if "at-once" in name]
    assert (job["result"]["moved_to"], job["result"]["purge_after"]) == ([], None)


def test_a_blob_that_another_item_names_stays_and_is_reported(terrane: RunningSystem) -> None:
    published = publish(terrane, "shared")
    href = published.job["result"]["assets"]["data"]
    item_id = published.named["stac_item_id"]
    terrane.query(
        "SELECT pgstac.upsert_item(jsonb_set(pgstac.get_item(%s, 'system-rasters'), '{id}', '\"borrower\"'))",
        item_id,
    )

    result = run(terrane, "unpublish_raster", **published.named, dry_run=False)["result"]

    assert "shared_cog.tif" in blobs(terrane)
    kept = {entry["href"]: (entry["reason"], entry["detail"]) for entry in result["kept"]}
    assert kept[href] == ("shared", "system-rasters/borrower")
    terrane.query("DELETE FROM pgstac.items WHERE id = 'borrower' RETURNING id")


@pytest.mark.parametrize(
    ("parameters", "parameter"),
    [
        ({"collection_id": "system-rasters"}, None),
        ({"collection_id": "system-rasters", "stac_item_id": "a", "item_ids": ["b"]}, None),
        ({"stac_item_id": "a"}, None),
        ({"collection_id": "system-rasters", "stac_item_id": "no-such-item"}, "stac_item_id"),
        ({"collection_id": "system-rasters", "item_ids": ["no-such-item", "nor-this"]}, "item_ids"),
        ({"collection_id": "no-such-collection", "all_items": True}, "collection_id"),
        ({"collection_id": "system-rasters", "search": {"polygon": []}}, None),
    ],
)
def test_an_unclear_or_wrong_selection_is_refused_at_submission(
    terrane: RunningSystem, parameters: dict[str, Any], parameter: str | None
) -> None:
    answer = terrane.submit("unpublish_raster", **parameters)

    assert answer.status == 422
    assert parameter is None or parameter in [error["parameter"] for error in answer.body["errors"]]


def test_a_whole_collection_goes_in_parts_and_leaves_no_empty_one(terrane: RunningSystem) -> None:
    for name in ("bulk-a", "bulk-b", "bulk-c"):
        publish(terrane, name, "bulk")

    first = run(terrane, "unpublish_raster", collection_id="bulk", all_items=True, limit=2, dry_run=False)[
        "result"
    ]
    second = run(terrane, "unpublish_raster", collection_id="bulk", all_items=True, limit=2, dry_run=False)[
        "result"
    ]

    assert (len(first["items"]), first["remaining"], first["collections"]) == (2, 1, [])
    assert (len(second["items"]), second["remaining"], second["collections"]) == (1, 0, ["bulk"])
    assert terrane.query("SELECT id FROM pgstac.collections WHERE id = 'bulk'") == []


def test_an_item_is_not_unpublished_while_it_is_processed_nor_processed_while_it_is_unpublished(
    terrane: RunningSystem,
) -> None:
    published = publish(terrane, "busy")
    source = "jobs/submit/process_raster_v2?rerun=true"
    terrane.request("POST", "/api/dbadmin/maintenance/pause?reason=test")
    try:
        rerun = terrane.request("POST", f"/api/{source}", published.parameters)
        refused = terrane.submit("unpublish_raster", **published.named, dry_run=False)
        listed = terrane.submit("unpublish_raster", **published.named)
    finally:
        terrane.request("POST", "/api/dbadmin/maintenance/resume")
    assert terrane.ended(rerun.body["job_id"])["status"] == "completed"
    cleaned(terrane, rerun.body["job_id"])
    terrane.ended(listed.body["job_id"])
    terrane.request("POST", "/api/dbadmin/maintenance/pause?reason=test")
    try:
        removal = terrane.submit("unpublish_raster", **published.named, dry_run=False)
        twin = terrane.submit("unpublish_raster", **published.named, dry_run=False, grace_days=1)
        late = terrane.request("POST", f"/api/{source}", published.parameters)
    finally:
        terrane.request("POST", "/api/dbadmin/maintenance/resume")

    assert (refused.status, refused.body["code"]) == (409, "artifact.owned")
    assert published.job["job_id"] in refused.body["detail"]
    assert (twin.status, late.status) == (409, 409)
    assert removal.body["job_id"] in twin.body["detail"]
    assert terrane.ended(removal.body["job_id"])["status"] == "completed"
