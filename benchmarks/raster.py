"""One raster through the whole job, beside gdalwarp writing the same COG."""

import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

from azure.storage.blob import BlobServiceClient

from benchmarks.system import System, system
from benchmarks.table import Row
from benchmarks.watching import MemoryWatch

_SIDE = 8_192
_LARGE_SIDE = 30_000
_TURNS = 3
_THREADS = "2"


def run() -> list[Row]:
    """Measure both in turn on one file, then ours alone on a larger one."""
    with tempfile.TemporaryDirectory(prefix="terrane-bench-") as folder, system() as local:
        source = Path(folder) / "picture.tif"
        make_raster(source, _SIDE)
        upload(local, source)
        ours, peers, peak = [], [], 0.0
        for _ in range(_TURNS):
            with MemoryWatch(local) as watch:
                ours.append(_seconds(local, source.name))
            peak = max(peak, watch.peak_mib)
            peers.append(gdalwarp(source, Path(folder) / "peer.tif"))
        rows = [
            Row(f"{_SIDE}² px, 3 uint8, UTM to 4326 COG", median(ours), "s", median(peers), _peer_name()),
            Row("  peak memory of a worker and its child", peak, "MiB"),
        ]
        large = Path(folder) / "large.tif"
        make_raster(large, _LARGE_SIDE)
        upload(local, large)
        with MemoryWatch(local) as watch:
            seconds = _seconds(local, large.name)
        return [
            *rows,
            Row(f"{_LARGE_SIDE}² px, 3 bands of uint8", seconds, "s"),
            Row("  peak memory of a worker and its child", watch.peak_mib, "MiB"),
        ]


def make_raster(path: Path, side: int) -> None:
    """Write a picture with relief and noise, tiled and uncompressed, in UTM zone 33N."""
    code = """
import sys, numpy as np, rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window
path, side = sys.argv[1], int(sys.argv[2])
random = np.random.default_rng(7)
profile = dict(driver="GTiff", width=side, height=side, count=3, dtype="uint8", crs="EPSG:32633",
               transform=from_origin(400_000, 5_700_000, 1, 1), tiled=True, blockxsize=512, blockysize=512,
               photometric="RGB", BIGTIFF="IF_SAFER")
with rasterio.open(path, "w", **profile) as out:
    for row in range(0, side, 512):
        height = min(512, side - row)
        y, x = np.mgrid[row:row + height, 0:side]
        relief = 128 + 60 * np.sin(x / 300) * np.cos(y / 500) + 30 * np.sin((x + y) / 41)
        for band in (1, 2, 3):
            noise = random.normal(0, 4, relief.shape)
            values = np.clip(relief + 10 * band + noise, 0, 255).astype("uint8")
            out.write(values, band, window=Window(0, row, side, height))
"""
    subprocess.run([_python(), "-c", code, str(path), str(side)], check=True)


def upload(local: System, source: Path) -> None:
    """Put the source where the job finds it."""
    service = BlobServiceClient.from_connection_string(local.variables["AZURE_STORAGE_CONNECTION_STRING"])
    blob = service.get_blob_client("bronze-rasters", source.name)
    with source.open("rb") as file:
        blob.upload_blob(file, overwrite=True, max_concurrency=2)


def gdalwarp(source: Path, target: Path) -> float:
    """Warp with Debian's GDAL, by the same methods and threads; return seconds."""
    target.unlink(missing_ok=True)
    command = ["gdalwarp", "-q", "-t_srs", "EPSG:4326", "-r", "cubic", "-of", "COG", "-multi"]
    command += ["-wo", f"NUM_THREADS={_THREADS}", "-wm", "256", "--config", "GDAL_CACHEMAX", "256"]
    for option in ("COMPRESS=DEFLATE", "PREDICTOR=STANDARD", "BLOCKSIZE=512", f"NUM_THREADS={_THREADS}"):
        command += ["-co", option]
    command += ["-co", "OVERVIEW_RESAMPLING=AVERAGE", str(source), str(target)]
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began


def _seconds(local: System, name: str) -> float:
    began = time.perf_counter()
    local.run_job("process_raster_v2", {"container_name": "bronze-rasters", "blob_name": name}, rerun=True)
    return time.perf_counter() - began


def _peer_name() -> str:
    printed = subprocess.run(["gdalwarp", "--version"], capture_output=True, text=True, check=True).stdout
    return f"{printed.split(',')[0]}; ours: rasterio {version('rasterio')}"


def _python() -> str:
    return str(Path(__file__).parent.parent / ".venv/bin/python")
