"""Open a stranger's raster: by the driver that its content names, and no file but its own."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader

from core.errors import TaskFailed
from services.raster.codes import EXTERNAL_REFERENCE, SIZE_ZERO, TRUNCATED, UNREADABLE
from services.raster.native.gdal_errors import GDAL_ERRORS
from services.raster.sniffing import Driver, driver_of
from services.raster.tiff_header import read_header

logger = logging.getLogger(__name__)

# Domains through which a dataset makes GDAL open another one, and the key that names it.
_REFERENCES: Final = (
    ("OVERVIEWS", "OVERVIEW_FILE"),
    ("GEOLOCATION", "X_DATASET"),
    ("GEOLOCATION", "Y_DATASET"),
)
_AUXILIARY_MARKS: Final = (b"overview_file", b"x_dataset", b"y_dataset", b'"overviews"', b"'overviews'")


def workspace_file(workspace: Path, name: str) -> Path:
    """Return a file of the workspace.

    Raises:
        TaskFailed: ``raster.external_reference``: the name leads out of the workspace, or to a link.
    """
    path = workspace / name
    if path.is_symlink() or path.resolve().parent != workspace.resolve():
        raise TaskFailed(EXTERNAL_REFERENCE, f"{name} is not a file of the workspace", file=name)
    return path


@contextmanager
def open_source(path: Path, sidecars: Sequence[Path] = ()) -> Iterator[tuple[DatasetReader, Driver]]:
    """Open a source and yield it with its driver.

    It is opened without its overviews first, because the file says where they are, and that may
    be anywhere; a file that does so is refused. Only then is it opened as it is: without its
    overviews GDAL does not tell the descriptions of bands.

    Raises:
        TaskFailed: ``blob.empty``, ``raster.unsupported_format``, ``raster.truncated``,
            ``raster.size_zero``, ``raster.unreadable``, ``raster.external_reference``.
    """
    _refuse_auxiliary_references(path, sidecars)
    driver = driver_of(path)
    # GDAL looks for sidecars only where it may list the directory, and also after the opening.
    listing = "FALSE" if sidecars else "EMPTY_DIR"
    with warnings.catch_warnings(), rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN=listing):
        # A raster placed by nothing is a finding, not a warning.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with _open(path, driver, OVERVIEW_LEVEL="NONE") as dataset:
            _refuse_references(dataset, path)
        with _open(path, driver) as dataset:
            try:
                yield dataset, driver
            except GDAL_ERRORS as error:
                # GDAL meets some damage only when it is asked for the property that is damaged.
                raise _unreadable(path, driver, error) from error


def _open(path: Path, driver: Driver, **options: str) -> DatasetReader:
    if driver == "GTiff":
        _refuse_broken_header(path)
    try:
        return rasterio.open(path, driver=driver, **options)
    except GDAL_ERRORS as error:
        raise _unreadable(path, driver, error) from error


def _unreadable(path: Path, driver: Driver, error: Exception) -> TaskFailed:
    reason = without_paths(str(error.__cause__ or error), path.parent)
    return TaskFailed(UNREADABLE, f"{path.name}: {reason}", file=path.name, driver=driver)


def _refuse_broken_header(path: Path) -> None:
    header = read_header(path)
    if header.truncated:
        raise TaskFailed(
            TRUNCATED,
            f"{path.name} ends at byte {path.stat().st_size}, before its directory",
            file=path.name,
        )
    if header.width == 0 or header.height == 0:
        raise TaskFailed(SIZE_ZERO, f"{path.name} is {header.width} x {header.height} pixels", file=path.name)


def _refuse_auxiliary_references(path: Path, sidecars: Sequence[Path]) -> None:
    """Read auxiliary files as text: GDAL would act on them when it opens the raster."""
    beside = {path.with_name(path.name + ".aux.xml"), path.with_suffix(".aux.xml"), *sidecars}
    for sidecar in sorted(beside):
        if not sidecar.name.lower().endswith(".xml") or not sidecar.exists():
            continue
        text = sidecar.read_bytes().lower()
        if any(mark in text for mark in _AUXILIARY_MARKS):
            raise TaskFailed(EXTERNAL_REFERENCE, f"{sidecar.name} points at another file", file=sidecar.name)


def _refuse_references(dataset: DatasetReader, path: Path) -> None:
    for domain, key in _REFERENCES:
        for band in (0, *dataset.indexes[:1]):
            if value := dataset.tags(band, ns=domain).get(key):
                raise TaskFailed(
                    EXTERNAL_REFERENCE,
                    f"{path.name} points at another file in its {domain} metadata",
                    file=path.name,
                    domain=domain,
                    reference=value[:200],
                )
    # Erdas Imagine keeps names of further parts in the file; they may lie anywhere.
    workspace = path.parent.resolve()
    for name in dataset.files:
        if Path(name).resolve().parent != workspace:
            raise TaskFailed(
                EXTERNAL_REFERENCE, f"{path.name} has a part outside its directory", file=path.name
            )


def without_paths(message: str, workspace: Path) -> str:
    """Return the first line of a GDAL message without the names of our directories."""
    line = message.splitlines()[0] if message else "no reason given"
    return line.replace(f"{workspace}/", "").replace(str(workspace), "")[:300]
