"""Draw a COG as a small picture that shows what it is."""

import math
import warnings
from typing import Any, Final

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader

from core.checksums import multihash
from core.errors import TaskFailed
from core.isolation import Child
from services.raster.codes import THUMBNAIL_EMPTY
from services.raster.models import ThumbnailWritten, WriteThumbnail
from services.raster.native.opening import open_source, workspace_file
from services.raster.native.rendering import Colours, classes, relief, stretch
from services.raster.tiers import RasterType

_COLOURS: Final = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
_NAMES: Final = ("red", "green", "blue")
_METRES_PER_DEGREE: Final = 111_320.0
# Beyond 72 degrees of latitude, a plate carrée is drawn narrower no further.
_LEAST_SQUEEZE: Final = 0.3


def write_thumbnail(request: WriteThumbnail, child: Child) -> ThumbnailWritten:
    """Write a PNG with an alpha channel, transparent where the COG is not valid.

    Raises:
        TaskFailed: ``raster.thumbnail_empty``.
    """
    path = workspace_file(child.workspace, request.path)
    output = workspace_file(child.workspace, request.output)
    with open_source(path):
        # Refused if it refers to other files; below it may be read through its own overviews.
        pass
    with rasterio.open(path, driver="GTiff") as dataset:
        height, width = _shape(dataset, request.size)
        is_classes = request.raster_type == "categorical" or dataset.colorinterp[0] == ColorInterp.palette
        method = Resampling.nearest if is_classes else Resampling.average
        bands = _bands(dataset, request.raster_type)
        pixels = dataset.read(bands, out_shape=(len(bands), height, width), resampling=method, masked=True)
        pixels = np.ma.masked_invalid(pixels)
        mask = np.ma.getmaskarray(pixels).all(axis=0)
        if mask.all():
            raise TaskFailed(THUMBNAIL_EMPTY, "no pixel of the smallest overview is valid")
        colours = _draw(dataset, pixels, request.raster_type)
    _write_png(np.concatenate([colours, _alpha(mask)]), str(output))
    child.progress(1.0, "thumbnail drawn")
    return ThumbnailWritten(
        path=request.output,
        nbytes=output.stat().st_size,
        checksum=multihash(output),
        height=height,
        width=width,
    )


def _shape(dataset: DatasetReader, size: int) -> tuple[int, int]:
    """Return height and width within `size`, in the proportions that the land has."""
    height, width = float(dataset.height), float(dataset.width)
    affine = dataset.transform
    height *= math.hypot(affine.b, affine.e) / math.hypot(affine.a, affine.d)
    width *= _squeeze(dataset)
    scale = min(size / height, size / width, 1.0)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _squeeze(dataset: DatasetReader) -> float:
    """Return how much shorter a degree of longitude is than one of latitude; 1 for metres."""
    if not dataset.crs.is_geographic:
        return 1.0
    _, latitude = dataset.transform @ (dataset.width / 2, dataset.height / 2)
    return max(_LEAST_SQUEEZE, math.cos(math.radians(latitude)))


def _bands(dataset: DatasetReader, raster_type: RasterType) -> list[int]:
    """Choose what to show: red, green and blue by meaning, by name, or the first three."""
    if raster_type in ("dem", "categorical") or ColorInterp.palette in dataset.colorinterp:
        return [1]
    meanings = list(dataset.colorinterp)
    if all(meaning in meanings for meaning in _COLOURS):
        return [meanings.index(meaning) + 1 for meaning in _COLOURS]
    names = [(name or "").strip().lower() for name in dataset.descriptions]
    if all(name in names for name in _NAMES):
        return [names.index(name) + 1 for name in _NAMES]
    shown = [index for index, meaning in enumerate(meanings, start=1) if meaning != ColorInterp.alpha]
    return shown[:3] if len(shown) >= 3 else shown[:1]


def _draw(dataset: DatasetReader, pixels: Any, raster_type: RasterType) -> Colours:
    if dataset.colorinterp[0] == ColorInterp.palette:
        return classes(pixels[0], dataset.colormap(1))
    if raster_type == "categorical":
        return classes(pixels[0], {})
    if raster_type == "dem":
        return relief(pixels[0], _pixel_metres(dataset, pixels.shape))
    if pixels.dtype == np.uint8 and len(pixels) == 3:
        return np.asarray(pixels.data)
    return stretch(pixels)


def _pixel_metres(dataset: DatasetReader, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return width and height in metres of a pixel of the thumbnail."""
    affine = dataset.transform
    across = math.hypot(affine.a, affine.d) * dataset.width / shape[2]
    down = math.hypot(affine.b, affine.e) * dataset.height / shape[1]
    if dataset.crs.is_geographic:
        return across * _METRES_PER_DEGREE * _squeeze(dataset), down * _METRES_PER_DEGREE
    return across, down


def _alpha(mask: Any) -> Colours:
    return np.where(mask, 0, 255).astype(np.uint8)[np.newaxis]


def _write_png(rgba: Colours, path: str) -> None:
    count, height, width = rgba.shape
    with warnings.catch_warnings():
        # A picture for people lies nowhere.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="PNG", width=width, height=height, count=count, dtype="uint8"
        ) as png:
            png.write(rgba)
