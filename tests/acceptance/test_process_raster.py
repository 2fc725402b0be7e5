"""A raster goes in through HTTP and comes out as a COG with a STAC item."""

import hashlib
import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import connect

from local.binaries import CHECKOUT
from tests.stac_validation import assert_valid_item

if TYPE_CHECKING:
    from tests.factories.local_system import RunningSystem

SAMPLE = CHECKOUT / "samples" / "jacksboro_fault_dem.tif"


def item_of(terrane: "RunningSystem", result: dict[str, Any]) -> dict[str, Any]:
    """Return an item as pgSTAC gives it back."""
    with connect(terrane.variables["DATABASE_URL"]) as connection:
        row = connection.execute(
            "SELECT pgstac.get_item(%s, %s)", [result["item_id"], result["collection_id"]]
        ).fetchone()
    assert row is not None
    item: dict[str, Any] = row[0]
    return item


def cog_bytes(terrane: "RunningSystem", name: str) -> bytes:
    with terrane.blobs as service:
        return service.get_blob_client("silver-cogs", name).download_blob().readall()


def test_a_raster_becomes_a_cog_with_an_item(terrane: "RunningSystem") -> None:
    terrane.upload("acceptance/dem.tif", SAMPLE.read_bytes())

    receipt = terrane.submit(
        "process_raster_v2", container_name="bronze-rasters", blob_name="acceptance/dem.tif"
    )
    job = terrane.ended(receipt.body["job_id"])
    again = terrane.submit(
        "process_raster_v2", container_name="bronze-rasters", blob_name="acceptance/dem.tif"
    )

    assert job["status"] == "completed", json.dumps(job["error"])
    item = item_of(terrane, job["result"])
    assert_valid_item(item)
    assert item["properties"]["app:job_id"] == job["job_id"]
    assert item["properties"]["app:job_type"] == "process_raster_v2"
    assert set(item["properties"]["processing:software"]) == {"GDAL", "rasterio"}
    assert cog_bytes(terrane, "dem_cog.tif")[:4] in (b"II*\x00", b"II+\x00")
    assert item["assets"]["data"]["href"].endswith("/silver-cogs/dem_cog.tif")
    assert (again.status, again.body["created"]) == (200, False)


def test_an_item_tells_what_it_was_made_of(terrane: "RunningSystem") -> None:
    terrane.upload("acceptance/lineage.tif", SAMPLE.read_bytes())
    receipt = terrane.submit(
        "process_raster_v2", container_name="bronze-rasters", blob_name="acceptance/lineage.tif"
    )
    job = terrane.ended(receipt.body["job_id"])
    result = job["result"]

    answer = terrane.request("GET", f"/api/lineage/{result['collection_id']}/{result['item_id']}")
    missing = terrane.request("GET", f"/api/lineage/{result['collection_id']}/no-such-item")

    item = item_of(terrane, result)
    assert_valid_item(item)
    first, second = item["properties"]["stac:processing_history"]
    source = hashlib.sha256(SAMPLE.read_bytes()).hexdigest()
    assert [file["checksum"] for file in first["inputs"]] == [f"1220{source}"]
    assert first["outputs"] == second["inputs"]
    assert first["outputs"][0]["checksum"] == item["assets"]["data"]["file:checksum"]
    assert {first["job_id"], second["job_id"]} == {job["job_id"]}
    steps = {activity["prov:label"] for activity in answer.body["activity"].values()}
    assert steps == {"create_cog", "extract_stac_metadata"}
    assert "GDAL" in {agent["prov:label"] for agent in answer.body["agent"].values()}
    assert (missing.status, missing.body["code"]) == (404, "catalogue.item_missing")


def test_a_product_that_only_its_tags_name_gets_its_band_combinations(
    terrane: "RunningSystem", rasters: Path
) -> None:
    terrane.upload("acceptance/scene.tif", (rasters / "tagged_worldview.tif").read_bytes())

    receipt = terrane.submit(
        "process_raster_v2", container_name="bronze-rasters", blob_name="acceptance/scene.tif"
    )
    job = terrane.ended(receipt.body["job_id"])

    item = item_of(terrane, job["result"])
    assert_valid_item(item)
    assert item["properties"]["platform"] == "worldview-3"
    assert item["properties"]["renders"]["natural_colour"]["bidx"] == [5, 3, 2]
    assert {"colour_infrared", "ndvi", "ndwi"} <= item["properties"]["renders"].keys()


def test_a_place_that_another_job_owns_is_not_overwritten(terrane: "RunningSystem") -> None:
    for folder in ("a", "b"):
        terrane.upload(f"{folder}/same.tif", SAMPLE.read_bytes())
    parameters = {"container_name": "bronze-rasters"}
    first = terrane.submit("process_raster_v2", blob_name="a/same.tif", **parameters)
    terrane.ended(first.body["job_id"])

    second = terrane.submit("process_raster_v2", blob_name="b/same.tif", **parameters)

    assert (second.status, second.body["code"]) == (409, "artifact.owned")
    assert first.body["job_id"] in second.body["detail"]


def test_a_killed_worker_costs_one_lease_and_nothing_else(terrane: "RunningSystem") -> None:
    job_id = terrane.submit("hello_world", n=2, message="Killed", sleep_seconds=6).body["job_id"]
    give_up = time.monotonic() + 30
    while not any(
        task["status"] == "processing"
        for task in terrane.request("GET", f"/api/jobs/{job_id}/tasks?stage=1").body["items"]
    ):
        assert time.monotonic() < give_up
    for worker in terrane.workers():
        os.kill(worker.pid, signal.SIGKILL)

    give_up = time.monotonic() + 60
    status = 0
    while status != 200:
        assert time.monotonic() < give_up
        try:
            status = terrane.request("GET", "/api/readyz").status
        except OSError:
            continue
    job = terrane.ended(job_id)

    assert job["status"] == "completed"
    assert [stage["tasks"]["completed"] for stage in job["stages"]] == [2, 2]
