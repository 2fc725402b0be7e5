"""One raster through the whole job, beside gdalwarp writing the same COG.

Both warp by cubic convolution with as many threads, and write the same tiles, codec, predictor and
overviews. What the peer's older GDAL has no option for (statistics), and what a job does beside (it
decodes every pixel of the source, validates the COG, draws a thumbnail, moves both files through the
blob store, writes an item), is in our time alone.
"""

import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from azure.storage.blob import BlobServiceClient

from benchmarks.system import System, system
from benchmarks.table import Row
from benchmarks.watching import MemoryWatch

_SIDE = 8_192
_LARGE_SIDE = 30_000
_WARM_UP_SIDE = 1_024
# More than there are workers, so that each has started its fork server.
_WARM_UPS = 4
_TURNS = 5
_THREADS = "2"


def run() -> list[Row]:
    """Measure both in turn on one file, then ours alone on a larger one."""
    with (
        tempfile.TemporaryDirectory(prefix="terrane-bench-") as folder,
        system(RASTER_GDAL_THREADS=_THREADS) as local,
    ):
        _warm_up(local, Path(folder))
        return [*_beside_the_peer(local, Path(folder)), *_large(local, Path(folder))]


def _warm_up(local: System, folder: Path) -> None:
    source = folder / "small.tif"
    make_raster(source, _WARM_UP_SIDE)
    jobs = [upload(local, source, f"small_{number}") for number in range(_WARM_UPS)]
    with ThreadPoolExecutor(_WARM_UPS) as clients:
        list(clients.map(lambda parameters: local.run_job("process_raster_v2", parameters), jobs))
    gdalwarp(source, folder / "peer.tif")


def _beside_the_peer(local: System, folder: Path) -> list[Row]:
    """Measure pairs, each in the other order than the last, and return the one of the median ratio."""
    source = folder / "picture.tif"
    make_raster(source, _SIDE)
    pairs: list[tuple[float, float]] = []
    with MemoryWatch(local) as watch:
        for turn in range(_TURNS):
            parameters = upload(local, source, f"picture_{turn}")
            if turn % 2:
                peer = gdalwarp(source, folder / "peer.tif")
                pairs.append((_seconds(local, parameters), peer))
            else:
                pairs.append((_seconds(local, parameters), gdalwarp(source, folder / "peer.tif")))
    ours, theirs = sorted(pairs, key=lambda pair: pair[0] / pair[1])[_TURNS // 2]
    ratios = ", ".join(f"{one / other:.2f}" for one, other in pairs)
    return [
        Row(f"{_SIDE}² px, 3 uint8, UTM to 4326 COG", ours, "s", theirs, f"{_versions()}; {ratios}"),
        Row("  peak memory of a worker and its child", watch.peak_mib, "MiB"),
    ]


def _large(local: System, folder: Path) -> list[Row]:
    source = folder / "large.tif"
    make_raster(source, _LARGE_SIDE)
    parameters = upload(local, source, "large")
    source.unlink()
    with MemoryWatch(local) as watch:
        seconds = _seconds(local, parameters)
    return [
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


def upload(local: System, source: Path, name: str) -> dict[str, str]:
    """Put the source where a job finds it; return the job's parameters.

    A name of its own for each job: where something is published already, a job lays its COG aside
    first, which is not what is measured.
    """
    address = local.variables["AZURE_STORAGE_CONNECTION_STRING"]
    blob_name = f"{name}.tif"
    with (
        source.open("rb") as file,
        BlobServiceClient.from_connection_string(address) as service,
        service.get_blob_client("bronze-rasters", blob_name) as blob,
    ):
        blob.upload_blob(file, overwrite=True, max_concurrency=2)
    return {"container_name": "bronze-rasters", "blob_name": blob_name}


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


def _seconds(local: System, parameters: dict[str, str]) -> float:
    began = time.perf_counter()
    local.run_job("process_raster_v2", parameters)
    return time.perf_counter() - began


def _versions() -> str:
    theirs = _printed("gdalwarp", "--version").split(",")[0]
    ours = _printed(
        _python(), "-c", "import rasterio; print(rasterio.__gdal_version__, rasterio.__version__)"
    )
    gdal, rasterio = ours.split()
    return f"gdalwarp of {theirs}; ours: GDAL {gdal}, rasterio {rasterio}"


def _printed(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _python() -> str:
    return str(Path(__file__).parent.parent / ".venv/bin/python")
