"""Vector files through the whole job, beside ogr2ogr and geopandas loading the same file."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psycopg
from azure.storage.blob import BlobServiceClient

from benchmarks.system import System, system
from benchmarks.table import Row
from benchmarks.watching import MemoryWatch

_POLYGONS = 500_000
_CSV_POINTS = 5_000_000
# About a gigabyte of GeoJSON.
_LARGE_POLYGONS = 1_050_000
_SMALLER = 10
_STEPS = (10_000, 100_000, 1_000_000, 10_000_000)
_TURNS = 3
_WARM_UPS = 4
# The job's own limits: what is measured is not to be stopped by them.
_SETTINGS = {"ENGINE_CHILD_DEADLINE_SECONDS": "3000"}


def run() -> list[Row]:
    """Measure beside the peers on one file, then ours alone on larger ones and on many sizes."""
    with tempfile.TemporaryDirectory(prefix="terrane-bench-") as folder, system(**_SETTINGS) as local:
        _warm_up(local, Path(folder))
        small, rate = _beside_peers(local, Path(folder))
        return [*small, *_large(local, Path(folder), rate), *_by_size(local, Path(folder))]


def _warm_up(local: System, folder: Path) -> None:
    """Let every worker import what it needs, as it has in a system that runs."""
    source = _file(folder, "gpkg", 1_000)
    _upload(local, source)
    for _ in range(_WARM_UPS):
        _seconds(local, source, "bench_warm_up")


def _beside_peers(local: System, folder: Path) -> tuple[list[Row], float]:
    source = _file(folder, "gpkg", _POLYGONS)
    _upload(local, source)
    # The first large download of a blob store that has just started takes twice as long as later ones.
    _seconds(local, source, "bench")
    url = local.variables["DATABASE_URL"]
    ours, ogr, pandas, alone = [], [], [], []
    for _ in range(_TURNS):
        _settle(local)
        ours.append(_seconds(local, source, "bench"))
        _settle(local)
        ogr.append(ogr2ogr(source, url))
        _settle(local)
        pandas.append(_alone("geopandas", source, url))
        _settle(local)
        alone.append(_alone("load", source, url))
    name = f"{_POLYGONS:,} polygons, gpkg 3857 to 4326, repair"
    rows = [
        Row(name, median(ours), "s", median(ogr), _ogr_name()),
        Row("  the same", median(ours), "s", median(pandas), "geopandas to_postgis"),
        Row("  chunks to table and index alone", median(alone), "s", median(ogr), _ogr_name()),
        Row("  peak memory of a worker and its children", _peak_mib(local, source), "MiB"),
    ]
    return rows, _POLYGONS / median(ours)


def _settle(local: System) -> None:
    """Let what the one before has left to be written not be the next one's work."""
    with psycopg.connect(local.superuser_url(), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    os.sync()


def _large(local: System, folder: Path, rate: float) -> list[Row]:
    rows = []
    for form, count in (("csv", _CSV_POINTS), ("geojson", _LARGE_POLYGONS)):
        small = count // _SMALLER / _alone_on_system(local, _file(folder, form, count // _SMALLER))[0]
        source = _file(folder, form, count)
        nbytes = source.stat().st_size
        seconds, peak = _alone_on_system(local, source)
        rows += [
            Row(f"{count:,} rows of {form}, {nbytes / 1e9:.2f} GB", seconds, "s"),
            Row("  rows per second, beside a tenth of them", count / seconds, "1/s", small, "ours"),
            Row("  rows per second, beside the polygons above", count / seconds, "1/s", rate, "ours, gpkg"),
            Row("  peak memory of a worker and its children", peak, "MiB"),
        ]
    return rows


def _alone_on_system(local: System, source: Path) -> tuple[float, float]:
    """Load a file, remove it, and return seconds and the most memory that a worker held."""
    _upload(local, source)
    seconds = _seconds(local, source, f"bench_{source.suffix.removeprefix('.')}")
    peak = _peak_mib(local, source)
    source.unlink()
    return seconds, peak


def _peak_mib(local: System, source: Path) -> float:
    """Load a file once more, for looking at memory takes time."""
    with MemoryWatch(local) as watch:
        _seconds(local, source, f"bench_{source.suffix.removeprefix('.')}")
    return watch.peak_mib


def _by_size(local: System, folder: Path) -> list[Row]:
    rows, first = [], None
    for count in _STEPS:
        source = _file(folder, "fgb", count)
        _upload(local, source)
        per_row = _seconds(local, source, "bench_size") / count * 1e6
        first = first or per_row
        rows.append(Row(f"{count:,} polygons, a row", per_row, "µs", first, "ours, fewest rows"))
        source.unlink()
    return rows


def ogr2ogr(source: Path, url: str) -> float:
    """Load with Debian's GDAL, repaired, reprojected and indexed as ours; return seconds."""
    command = ["ogr2ogr", "-q", "-f", "PostgreSQL", f"PG:{_libpq(url)}", str(source), "-nln", "geo.bench_ogr"]
    command += ["-overwrite", "-makevalid", "-t_srs", "EPSG:4326", "-nlt", "PROMOTE_TO_MULTI"]
    command += ["-lco", "SPATIAL_INDEX=GIST", "-lco", "GEOMETRY_NAME=geom", "--config", "PG_USE_COPY", "YES"]
    began = time.perf_counter()
    subprocess.run(command, check=True)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE geo.bench_ogr")
    return time.perf_counter() - began


def _seconds(local: System, source: Path, table: str) -> float:
    parameters: dict[str, object] = {
        "blob_name": source.name,
        "file_extension": source.suffix.removeprefix("."),
        "table_name": table,
        "if_exists": "replace",
    }
    if source.suffix == ".csv":
        parameters["converter_params"] = {"lat_name": "latitude", "lon_name": "longitude"}
    began = time.perf_counter()
    job = local.run_job("process_vector", parameters, rerun=True)
    seconds = time.perf_counter() - began
    # The next run of the same job is refused while this one is being cleaned up after.
    while local.request("GET", f"/api/jobs/{job['job_id']}")["cleanup"] == "pending":
        time.sleep(0.1)
    return seconds


def _file(folder: Path, form: str, rows: int) -> Path:
    path = folder / f"rows_{rows}.{form}"
    command = [sys.executable, "-m", "benchmarks.vector_files", form, str(rows), str(path)]
    subprocess.run(command, check=True)
    return path


def _upload(local: System, source: Path) -> None:
    service = BlobServiceClient.from_connection_string(local.variables["AZURE_STORAGE_CONNECTION_STRING"])
    blob = service.get_blob_client("bronze-vectors", source.name)
    with source.open("rb") as file:
        blob.upload_blob(file, overwrite=True, max_concurrency=2)


def _alone(how: str, source: Path, url: str) -> float:
    command = [sys.executable, "-m", "benchmarks.vector_alone", how, str(source), url]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _libpq(url: str) -> str:
    parts = psycopg.conninfo.conninfo_to_dict(url)
    return " ".join(f"{name}='{value}'" for name, value in parts.items() if value)


def _ogr_name() -> str:
    printed = subprocess.run(["ogr2ogr", "--version"], capture_output=True, text=True, check=True).stdout
    return f"ogr2ogr, {printed.split(',')[0]}"
