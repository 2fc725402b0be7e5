"""Isolated children with a real GDAL: what they may reach, and how they end."""

import contextlib
import http.server
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.errors import NativeCrash, TaskFailed
from core.ports.isolation import IsolatedCall
from infrastructure.isolation import ForkServerRunner
from infrastructure.isolation.drivers import ALLOWED
from tests.fixtures.processes import wait_until

CHECKOUT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 30.0
PLAIN, RASTERS = "tests.factories.isolated", "tests.factories.isolated_rasters"

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def runner() -> Iterator[ForkServerRunner]:
    secrets = {
        "STORAGE_CONNECTION_STRING": "AccountKey=c2VjcmV0",
        "AZURE_CLIENT_SECRET": "secret",
        "POSTGIS_PASSWORD": "secret",
        "ServiceBusConnection": "SharedAccessKey=secret",
        "IDENTITY_HEADER": "secret",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "GDAL_SKIP": "GTiff",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in secrets.items():
            patch.setenv(name, value)
        runner = ForkServerRunner(
            {"raster": ["rasterio", PLAIN, RASTERS]},
            {"raster": {"GDAL_CACHEMAX": "64", "GDAL_NUM_THREADS": "2", "PROJ_NETWORK": "ON"}},
        )
        runner.start("raster")
    yield runner
    runner.close()


@pytest.fixture
def run(runner: ForkServerRunner, tmp_path: Path) -> Run:
    def call(function: str, read_url: str | None = None, **parameters: Any) -> Any:
        module = RASTERS if "names" in parameters else PLAIN
        target = f"{module}:{function}"
        isolated = IsolatedCall("raster", target, parameters, tmp_path, read_url=read_url)
        return runner.run(isolated, lambda _: None)["value"]

    return call


def test_the_child_inherits_no_credentials(run: Run) -> None:
    environment = run("show_process")["environment"]

    values = " ".join(environment.values())
    assert "secret" not in values
    assert "c2VjcmV0" not in values
    assert not [name for name in environment if name.startswith(("AZURE", "STORAGE", "POSTGIS", "IDENTITY"))]


def test_the_child_works_in_its_workspace(run: Run, tmp_path: Path) -> None:
    process = run("show_process")
    run("write_relative_file", value=3)

    assert process["directory"] == str(tmp_path)
    assert process["environment"]["TMPDIR"] == str(tmp_path)
    assert (tmp_path / "number.txt").exists()


def test_settings_of_gdal_take_effect(run: Run) -> None:
    expected = {
        "GDAL_CACHEMAX": 64 * 1024 * 1024,
        "GDAL_NUM_THREADS": "2",
        "PROJ_NETWORK": "OFF",
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
        "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ",",
        "GDAL_DRIVER_PATH": "disable",
        "HOME": "/nonexistent",
    }

    assert run("show_options", names=list(expected)) == expected


def test_gdal_has_the_drivers_of_the_list_and_no_other(run: Run) -> None:
    assert set(run("list_drivers", names=[])) == ALLOWED["raster"]


def test_cogs_of_every_compression_need_no_further_driver(run: Run) -> None:
    compressions = ["JPEG", "DEFLATE", "LZW", "ZSTD", "WEBP", "LERC"]

    means = run("convert_to_cogs", names=compressions)

    assert means == pytest.approx(dict.fromkeys(compressions, 7), abs=1)


@dataclass
class Website:
    """An HTTP server of files that counts what is asked of it."""

    root: Path
    paths: list[str] = field(default_factory=list)
    address: str = ""


@pytest.fixture
def website(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Website]:
    site = Website(tmp_path_factory.mktemp("website"))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer_range()

        def do_GET(self) -> None:
            self.wfile.write(self.answer_range())

        def answer_range(self) -> bytes:
            site.paths.append(self.path)
            content = (site.root / self.path.partition("?")[0].lstrip("/")).read_bytes()
            first, _, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
            part = content[int(first) : int(last or len(content)) + 1]
            self.send_response(206 if "Range" in self.headers else 200)
            self.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            return part

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield site
        server.shutdown()


def test_the_child_reads_the_one_address_and_no_other(run: Run, website: Website) -> None:
    run("write_tiffs", names=[str(website.root / "mine.tif"), str(website.root / "other.tif")])
    mine = f"{website.address}/mine.tif?se=2030&sig=a%2Fb"
    others = [
        f"{website.address}/other.tif",
        f"{website.address}/mine.tif",
        f"/vsicurl/{website.address}/other.tif",
    ]

    read = run("read_all", names=[mine, *others], read_url=mine)

    assert read == {mine: 7.0} | dict.fromkeys(others, "RasterioIOError")
    assert set(website.paths) == {"/mine.tif?se=2030&sig=a%2Fb"}


def test_without_an_address_the_child_asks_no_server(run: Run, website: Website) -> None:
    names = ["a.tif", "a.none", "a"]
    run("write_tiffs", names=[str(website.root / name) for name in names])
    prefixes = ["", "/vsicurl/", "/vsicurl_streaming/", "/vsigzip//vsicurl/", "/vsiwebhdfs/"]
    remote = [f"{prefix}{website.address}/{name}" for prefix in prefixes for name in names]

    read = run("read_all", names=[*remote, f"/vsicurl?url={website.address}/a.tif"])

    assert set(read.values()) == {"RasterioIOError"}
    assert website.paths == []


def test_a_tag_that_names_an_overview_elsewhere_asks_no_server(run: Run, website: Website) -> None:
    run("write_tiffs", names=[str(website.root / "a.tif")])

    width = run("read_overview", names=["upload.tif", f"/vsicurl/{website.address}/a.tif"])

    assert width == 512
    assert website.paths == []


@pytest.mark.parametrize("system", ["s3", "s3_streaming", "az", "az_streaming", "adls", "gs", "oss", "swift"])
def test_no_cloud_storage_can_be_read(run: Run, system: str) -> None:
    name = f"/vsi{system}/container/key.tif"

    assert run("read_all", names=[name]) == {name: "RasterioIOError"}


def test_a_vrt_is_not_read_when_the_driver_is_given(run: Run, tmp_path: Path) -> None:
    run("write_tiffs", names=["target.tif"])
    source = f"<SourceFilename>{tmp_path / 'target.tif'}</SourceFilename><SourceBand>1</SourceBand>"
    band = f'<VRTRasterBand dataType="Byte" band="1"><SimpleSource>{source}</SimpleSource></VRTRasterBand>'
    vrt = f'<VRTDataset rasterXSize="512" rasterYSize="512">{band}</VRTDataset>'
    (tmp_path / "upload.tif").write_text(vrt)

    assert run("read_all", names=["upload.tif"]) == {"upload.tif": "RasterioIOError"}
    assert run("read_all", names=["upload.tif"], driver="VRT") == {"upload.tif": 7.0}


def test_a_module_in_the_workspace_is_not_imported(run: Run) -> None:
    assert run("import_from_the_workspace") == "not found"


def test_every_call_has_a_child_of_the_one_server(run: Run) -> None:
    processes = [run("show_process") for _ in range(3)]

    assert len({process["pid"] for process in processes}) == 3
    assert len({process["parent"] for process in processes}) == 1


def test_a_dead_server_is_replaced_by_the_next_call(runner: ForkServerRunner, run: Run) -> None:
    lost = run("show_process")["parent"]
    psutil.Process(lost).kill()

    wait_until(lambda: not psutil.pid_exists(lost) or is_zombie(lost), PATIENCE_SECONDS)

    assert run("show_process")["parent"] != lost


def test_a_call_ends_when_its_server_dies(runner: ForkServerRunner, run: Run, tmp_path: Path) -> None:
    server = run("show_process")["parent"]
    killed = threading.Event()

    def kill_the_server(_: object) -> None:
        if (tmp_path / "pid").exists() and not killed.is_set():
            psutil.Process(server).kill()
            killed.set()

    with pytest.raises(NativeCrash, match="the fork server ended"):
        runner.run(IsolatedCall("raster", f"{PLAIN}:hang", {}, tmp_path), kill_the_server)

    child = int((tmp_path / "pid").read_text())
    wait_until(lambda: is_gone(child), PATIENCE_SECONDS)


def test_what_a_child_started_ends_with_it(run: Run) -> None:
    grandchild = run("start_a_process")

    wait_until(lambda: is_gone(grandchild), PATIENCE_SECONDS)


def test_no_child_outlives_a_killed_worker(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.factories.isolation_host", str(tmp_path)]
    worker = subprocess.Popen(command, cwd=CHECKOUT)
    try:
        wait_until((tmp_path / "pid").exists, PATIENCE_SECONDS)
        child = psutil.Process(int((tmp_path / "pid").read_text()))
        server = child.parent()
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait(PATIENCE_SECONDS)

    assert server is not None
    wait_until(lambda: is_gone(child.pid), PATIENCE_SECONDS)
    wait_until(lambda: is_gone(server.pid), PATIENCE_SECONDS)


def test_a_server_that_cannot_start_is_named(tmp_path: Path) -> None:
    runner = ForkServerRunner({"vector": ["tests.factories.missing"]})

    with pytest.raises(NativeCrash, match="the fork server ended"):
        runner.run(IsolatedCall("vector", f"{PLAIN}:double", {}, tmp_path), lambda _: None)

    runner.close()


def test_closing_leaves_no_server(tmp_path: Path) -> None:
    runner = ForkServerRunner({})
    call = IsolatedCall("vector", f"{PLAIN}:show_process", {}, tmp_path)
    server = runner.run(call, lambda _: None)["value"]["parent"]

    runner.close()

    assert not psutil.pid_exists(server)


def test_output_of_the_child_goes_to_the_log(
    run: Run, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)

    run("shout", value=2)

    lines = logged_lines(caplog)
    assert "from print" in lines
    assert "from native code" in lines
    assert "INFO:isolated:from logging" in lines
    assert capfd.readouterr().out == ""


def test_endless_output_is_cut(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    run("shout", value=10_000)

    lines = logged_lines(caplog)
    assert len(lines) < 500
    assert lines[-1] == "further lines are left out"


def test_the_address_appears_in_no_error_and_no_log(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    with pytest.raises(TaskFailed, match="cannot read <read_url>") as failure:
        run("fail_with_the_address", read_url="https://account.example/blob.tif?sig=geheim")

    assert "geheim" not in str(failure.value.as_json())
    assert "geheim" not in " ".join(logged_lines(caplog))


def logged_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.__dict__["line"] for record in caplog.records if record.getMessage() == "child output"]


def is_zombie(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return False


def is_gone(pid: int) -> bool:
    """Return whether the process has ended, reaped by its new parent or not."""
    return not psutil.pid_exists(pid) or is_zombie(pid)
