"""What a user reads who submits a raster that cannot be published, and that nothing of it stays."""

import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.processes import wait_until

if TYPE_CHECKING:
    from tests.factories.local_system import Answer, RunningSystem

VRT = b'<VRTDataset rasterXSize="1" rasterYSize="1"></VRTDataset>'
GDALG = b'{"type": "gdal_streamed_alg", "command_line": "gdal raster pipeline"}'
COLLECTION = "refused"


def submit(terrane: "RunningSystem", blob: str | None = "refusals/good.tif", **parameters: Any) -> "Answer":
    named = {} if blob is None else {"blob_name": blob}
    common = {"container_name": "bronze-rasters", "collection_id": COLLECTION, "output_folder": COLLECTION}
    return terrane.submit("process_raster_v2", **(common | named | parameters))


def upload(terrane: "RunningSystem", name: str, content: bytes) -> str:
    terrane.upload(f"refusals/{name}", content)
    return f"refusals/{name}"


@pytest.fixture(scope="module", autouse=True)
def hung_job(terrane: "RunningSystem", rasters: Path) -> str:
    """Submit a raster on which GDAL hangs; the time that it takes passes while the others run."""
    blob = upload(terrane, "hanging.tif", (rasters / "long.tif").read_bytes())
    job_id = submit(terrane, blob).body["job_id"]
    terrane.child(job_id, stage=1).send_signal(signal.SIGSTOP)
    return job_id


@pytest.fixture(scope="module", autouse=True)
def good_raster(terrane: "RunningSystem", rasters: Path) -> None:
    upload(terrane, "good.tif", (rasters / "good.tif").read_bytes())


def assert_nothing_is_left(terrane: "RunningSystem", job_id: str) -> None:
    """Hold the whole system to have forgotten all but the record of a job that failed."""
    wait_until(lambda: terrane.request("GET", f"/api/jobs/{job_id}").body["cleanup"] != "pending", 60)
    with terrane.blobs as service:
        written = [
            blob.name
            for container in service.list_containers()
            for blob in service.get_container_client(container.name).list_blobs(include=["metadata"])
            if (blob.metadata or {}).get("terrane_job") == job_id
        ]
    open_artifacts = terrane.query(
        "SELECT location FROM app.artifacts WHERE job_id = %s AND state NOT IN ('deleted', 'released')",
        job_id,
    )
    items = terrane.query(
        "SELECT id FROM pgstac.items WHERE content #>> '{properties,app:job_id}' = %s", job_id
    )
    collections = terrane.query("SELECT id FROM pgstac.collections WHERE id = %s", COLLECTION)
    tasks = terrane.query("SELECT task_id FROM app.tasks WHERE job_id = %s", job_id)
    workspaces = [path.name for path in terrane.home.glob("workspace/terrane/*") if path.name[:32] in tasks]
    violations = terrane.query("SELECT code FROM app.violations WHERE job_id = %s", job_id)
    assert terrane.request("GET", f"/api/jobs/{job_id}").body["cleanup"] in ("none", "done")
    assert (written, open_artifacts, items, collections, workspaces) == ([], [], [], [], [])
    assert (terrane.children(job_id), violations) == ([], [])


def assert_failed(terrane: "RunningSystem", answer: "Answer", code: str, *told: str) -> dict[str, Any]:
    """Hold a job to have failed as its user reads it, wherever that is, and to leave nothing."""
    assert answer.status == 202, answer.body
    job = terrane.ended(answer.body["job_id"])
    why = terrane.request("GET", f"/api/jobs/{job['job_id']}/why").body
    error = job["error"] or {}
    assert (job["status"], error.get("code"), why["code"]) == ("failed", code, code)
    for text in (*told, error["remedy"]):
        assert text in f"{error['message']} {error['remedy']}"
        assert text in why["sentence"]
    assert str(terrane.home) not in f"{error}{why}"
    assert_nothing_is_left(terrane, job["job_id"])
    return job


@pytest.mark.parametrize(
    ("parameters", "field", "code", "told"),
    [
        ({"blob_name": "missing.tif"}, "blob_name", "blob.missing", "case matters"),
        ({"blob_name": "refusals/empty.tif"}, "blob_name", "blob.empty", "Upload the file again"),
        (
            {"container_name": "no-such-container"},
            "container_name",
            "container.missing",
            "Check the container's name",
        ),
        ({"container_name": "NO/SUCH"}, "container_name", "parameters.invalid", "pattern"),
        ({"output_container": "bronze-rasters"}, "output_container", "parameters.invalid", "silver"),
        ({"sidecar_blobs": ["gone.tfw"]}, "sidecar_blobs", "blob.missing", "gone.tfw"),
        ({"blob_name": "../secrets.tif"}, "blob_name", "parameters.invalid", "segment . or .."),
        ({"blob_name": "a/../../b.tif"}, "blob_name", "parameters.invalid", "segment . or .."),
        ({"blob_name": "a\\b.tif"}, "blob_name", "parameters.invalid", "backslash"),
        ({"blob_name": "/vsicurl/http://127.0.0.1/a.tif"}, "blob_name", "parameters.invalid", "slash"),
        ({"blob_name": "vsimem/a.tif"}, "blob_name", "blob.missing", "vsimem/a.tif"),
        ({"sidecar_blobs": ["/vsizip/a.zip/a.tfw"]}, "sidecar_blobs", "parameters.invalid", "slash"),
        ({"output_folder": "/vsis3/bucket"}, "output_folder", "parameters.invalid", "slash"),
        ({"output_folder": "../other"}, "output_folder", "parameters.invalid", "segment . or .."),
        ({"output_folder": "x" * 1_010}, "output_folder", "parameters.invalid", "more than 1024"),
        ({"blob_name": "a\u0007b.tif"}, "blob_name", "parameters.invalid", "control character"),
        ({"blob_name": "a\x00b.tif"}, "blob_name", "parameters.invalid", "NUL"),
        ({"blob_name": "a\ud800b.tif"}, "blob_name", "parameters.invalid", "surrogate"),
        ({"blob_name": "a\uffffb.tif"}, "blob_name", "parameters.invalid", "control character"),
        ({"blob_name": "\u00e9" * 101 + ".tif"}, "blob_name", "parameters.invalid", "206 bytes"),
        ({"blob_name": ""}, "blob_name", "parameters.invalid", "empty"),
        ({"jpeg_quality": 80}, "jpeg_quality", "parameters.invalid", "output_tier visualization or all"),
        ({"jpeg_quality": 80, "output_tier": "archive"}, "jpeg_quality", "parameters.invalid", "not archive"),
        ({"jpeg_quality": 101, "output_tier": "all"}, "jpeg_quality", "parameters.invalid", "100"),
        ({"jpeg_quality": True, "output_tier": "all"}, "jpeg_quality", "parameters.invalid", "integer"),
        ({"strict_mode": "yes"}, "strict_mode", "parameters.invalid", "boolean"),
        ({"raster_type": "photo"}, "raster_type", "parameters.invalid", "categorical"),
        ({"resolution": 0}, "resolution", "parameters.invalid", "greater than 0"),
        ({"target_crs": "/etc/passwd"}, "target_crs", "parameters.invalid", "EPSG:32633"),
        ({"input_crs": "http://127.0.0.1/crs"}, "input_crs", "parameters.invalid", "EPSG:32633"),
        ({"collection_id": "a b"}, "collection_id", "parameters.invalid", "pattern"),
        ({"nonsense": 1}, "nonsense", "parameters.invalid", "there are: container_name"),
    ],
)
def test_what_can_be_known_at_submission_is_refused_there(
    terrane: "RunningSystem", parameters: dict[str, Any], field: str, code: str, told: str
) -> None:
    upload(terrane, "empty.tif", b"")
    jobs = terrane.query("SELECT count(*) FROM app.jobs")

    answer = submit(terrane, **{"blob": "refusals/good.tif"} | parameters)

    error = next(error for error in answer.body["errors"] if error["parameter"] == field)
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert (answer.status, answer.body["code"]) == (422, code)
    assert told in error["message"]
    assert answer.body["remedy"]
    assert answer.body["type"].endswith(f"/api/docs#errors/{code}")
    assert terrane.query("SELECT count(*) FROM app.jobs") == jobs


def test_everything_that_is_wrong_is_told_at_once(terrane: "RunningSystem") -> None:
    wrong = submit(terrane, None, strict_mode=1, nodata="none", rpc_heights=3)
    missing = submit(terrane, "missing.tif", output_container="silver-nothing")

    fields = [{error["parameter"] for error in answer.body["errors"]} for answer in (wrong, missing)]
    assert fields == [
        {"blob_name", "strict_mode", "nodata", "rpc_heights"},
        {"blob_name", "output_container"},
    ]
    assert (missing.status, missing.body["code"]) == (422, "resources.invalid")


@pytest.mark.parametrize(
    ("name", "parameters", "code", "told"),
    [
        ("complex.tif", {}, "raster.complex_unsupported", "complex64"),
        ("no_crs.tif", {}, "raster.crs_missing", "`input_crs`"),
        ("unknown_epsg.tif", {}, "raster.crs_missing", "no place on the Earth"),
        ("good.tif", {"target_crs": "EPSG:999999"}, "raster.crs_unknown", "target_crs 'EPSG:999999'"),
        ("no_crs.tif", {"input_crs": "EPSG:999999"}, "raster.crs_unknown", "input_crs 'EPSG:999999'"),
        ("good.tif", {"input_crs": "EPSG:32634"}, "raster.crs_mismatch", "EPSG:32633"),
        ("good.tif", {"raster_type": "dem"}, "raster.type_mismatch", "dem"),
        ("good.tif", {"nodata": -9999}, "raster.nodata_invalid", "-9999"),
        ("nan_geotransform.tif", {}, "raster.geotransform_invalid", "nan"),
        ("nodata_only.tif", {}, "raster.no_data", "nodata"),
        ("zero_size.tif", {}, "raster.size_zero", "0 x 5"),
        ("truncated.tif", {}, "raster.truncated", "upload the file again"),
        ("overview_local.tif", {}, "raster.external_reference", "OVERVIEW"),
        ("overview_remote.tif", {}, "raster.external_reference", "OVERVIEW"),
        # 1.6 gigapixels, each decoded: a child that took too much memory for it would be killed.
        ("huge_constant.tif", {}, "raster.blank", "every pixel is 7"),
    ],
)
def test_what_only_the_file_shows_fails_the_job(
    terrane: "RunningSystem", rasters: Path, name: str, parameters: dict[str, Any], code: str, told: str
) -> None:
    blob = upload(terrane, name, (rasters / name).read_bytes())

    answer = submit(terrane, blob, **parameters)

    assert_failed(terrane, answer, code, told)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("text.tif", b"This is no raster at all.", "plain text"),
        ("sources.vrt", VRT, "a GDAL virtual dataset (VRT)"),
        ("vrt.tif", VRT, "a GDAL virtual dataset (VRT)"),
        ("stream.tif", GDALG, "a GDAL algorithm (GDALG)"),
        ("page.tif", b"<!DOCTYPE html><html></html>", "an HTML page"),
    ],
)
def test_what_is_no_raster_is_named(terrane: "RunningSystem", name: str, content: bytes, found: str) -> None:
    answer = submit(terrane, upload(terrane, name, content))

    assert_failed(terrane, answer, "raster.unsupported_format", found)


def test_a_remote_overview_is_not_asked_for(
    terrane: "RunningSystem", rasters: Path, trap: socket.socket
) -> None:
    content = (rasters / "overview_remote.tif").read_bytes()
    answer = submit(terrane, upload(terrane, "overview_remote_again.tif", content))

    assert_failed(terrane, answer, "raster.external_reference")

    with pytest.raises(BlockingIOError):
        trap.accept()


@pytest.mark.parametrize(
    "name",
    [
        "caf\u00e9 \u5730\u56f3 \u2603 100%.tif",
        "\U0001f30d?query#fragment&a=b+c.tif",
        "GTIFF_DIR:1:'quoted\".tif",
        "-option=--evil.tif",
    ],
)
def test_an_odd_name_is_only_a_name(terrane: "RunningSystem", rasters: Path, name: str) -> None:
    terrane.upload(f"odd/{name}", (rasters / "good.tif").read_bytes())

    answer = submit(terrane, f"odd/{name}", collection_id="odd-names", output_folder="odd")
    job = terrane.ended(answer.body["job_id"])

    assert job["status"] == "completed", job["error"]
    with terrane.blobs as service:
        written = service.get_blob_client("silver-cogs", f"odd/{name.removesuffix('.tif')}_cog.tif")
        assert written.url == job["result"]["assets"]["data"]
        assert written.exists()


def test_a_file_that_crashes_gdal_is_tried_once_more_and_kills_no_worker(
    terrane: "RunningSystem", rasters: Path
) -> None:
    workers = {worker.pid for worker in terrane.workers()}
    answer = submit(terrane, upload(terrane, "crashing.tif", (rasters / "long.tif").read_bytes()))
    job_id = answer.body["job_id"]

    terrane.child(job_id, stage=1).send_signal(signal.SIGSEGV)
    wait_until(lambda: terrane.tasks(job_id, 1)[0]["error"] is not None, 60)
    terrane.child(job_id, stage=1).send_signal(signal.SIGSEGV)

    assert_failed(terrane, answer, "native.crash", "damaged or crafted")
    assert terrane.tasks(job_id, 1)[0]["attempt"] == 2
    assert {worker.pid for worker in terrane.workers()} == workers


def test_a_file_on_which_gdal_hangs_costs_its_time_and_no_more(
    terrane: "RunningSystem", hung_job: str
) -> None:
    job = terrane.ended(hung_job)

    error = job["error"]
    assert (job["status"], error["code"]) == ("failed", "native.deadline")
    assert "ENGINE_CHILD_DEADLINE_SECONDS" in error["remedy"]
    assert_nothing_is_left(terrane, hung_job)
