"""A factory of rasters with named options, and a desk to work at them."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rasterio.rpc import RPC
from rasterio.transform import Affine, from_origin

from core.errors import TaskFailed
from core.isolation import Child
from services.raster.models import (
    CogDescription,
    CogWritten,
    DescribeCog,
    InspectRaster,
    RasterReport,
    ThumbnailWritten,
    WriteCog,
    WriteThumbnail,
)
from services.raster.native.cog import write_cog
from services.raster.native.description import describe_cog
from services.raster.native.inspection import inspect_raster
from services.raster.native.thumbnail import write_thumbnail

UTM = "EPSG:32633"
UTM_ORIGIN = from_origin(500_000, 5_600_000, 10, 10)
GEOGRAPHIC = from_origin(15.0, 50.0, 0.0001, 0.0001)


@dataclass(frozen=True)
class Made:
    """How a raster is made.

    Args:
        pixels: Shape (bands, rows, columns).
        mask: Shape (rows, columns), 0 or 255.
        profile: Further options of `rasterio.open`.
    """

    pixels: Any
    crs: str | None = UTM
    transform: Affine | None = UTM_ORIGIN
    nodata: float | None = None
    colours: tuple[ColorInterp, ...] = ()
    palette: Mapping[int, tuple[int, int, int, int]] = field(default_factory=dict)
    descriptions: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    scales: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    domain_tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    mask: Any = None
    gcps: tuple[GroundControlPoint, ...] = ()
    rpcs: RPC | None = None
    profile: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Desk:
    """A workspace, and the isolated functions at work in it."""

    workspace: Path
    reports: list[tuple[float, str]]

    @property
    def child(self) -> Child:
        """What an isolated function is given."""
        return Child(self.workspace, lambda fraction, message: self.reports.append((fraction, message)))

    def make(self, name: str = "a.tif", **options: Any) -> Path:
        """Write a raster."""
        path = self.workspace / name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            write(path, Made(**options))
        return path

    def inspect(self, name: str = "a.tif", **options: Any) -> RasterReport:
        """Inspect a file of the workspace."""
        return inspect_raster(InspectRaster(path=name, **options), self.child)

    def refusal(self, name: str = "a.tif", **options: Any) -> TaskFailed:
        """Return the error with which a file is refused."""
        with pytest.raises(TaskFailed) as caught:
            self.inspect(name, **options)
        return caught.value

    def cog(self, name: str = "a.tif", **options: Any) -> CogWritten:
        """Write a COG of a file with what its inspection found out."""
        reading = {"input_crs", "target_crs", "resolution", "nodata", "rpc_height", "sidecars"}
        asked = {key: value for key, value in options.items() if key in reading}
        report = self.inspect(name, raster_type=options.pop("asked_type", "auto"), **asked)
        found = {"raster_type": report.raster_type, "unused_value": report.unused_value}
        return write_cog(WriteCog(path=name, threads=2, **(found | options)), self.child)

    def describe(self, name: str = "cog.tif") -> CogDescription:
        """Describe a COG."""
        return describe_cog(DescribeCog(path=name), self.child)

    def draw(self, name: str = "cog.tif", **options: Any) -> ThumbnailWritten:
        """Draw a COG."""
        return write_thumbnail(WriteThumbnail(path=name, **options), self.child)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, [])


@pytest.fixture
def opened(desk: Desk) -> Callable[[str], Any]:
    return lambda name="cog.tif": rasterio.open(desk.workspace / name, driver="GTiff")


def write(path: Path, made: Made) -> None:
    """Write a GeoTIFF, or what `profile` says."""
    count, height, width = made.pixels.shape
    placed = {"crs": made.crs, "transform": made.transform} if made.transform else {}
    profile = {"driver": "GTiff", "tiled": True, "blockxsize": 256, "blockysize": 256, **made.profile}
    if made.gcps:
        placed = {"gcps": list(made.gcps), "crs": made.crs}
    with rasterio.open(
        path,
        "w",
        count=count,
        height=height,
        width=width,
        dtype=made.pixels.dtype,
        nodata=made.nodata,
        **placed,
        **profile,
    ) as dataset:
        _describe(dataset, made)
        dataset.write(made.pixels)
        if made.mask is not None:
            dataset.write_mask(made.mask)


def _describe(dataset: Any, made: Made) -> None:
    for name in ("descriptions", "units", "scales", "offsets"):
        if values := getattr(made, name):
            setattr(dataset, name, values)
    if made.colours:
        dataset.colorinterp = made.colours
    if made.palette:
        dataset.write_colormap(1, dict(made.palette))
    if made.rpcs:
        dataset.rpcs = made.rpcs
    dataset.update_tags(**made.tags)
    for domain, tags in made.domain_tags.items():
        dataset.update_tags(ns=domain, **tags)


def codes(findings: Any) -> list[str]:
    """Return the codes of findings."""
    return [found["code"] if isinstance(found, dict) else found.code for found in findings]


def rgb(size: int = 700, dtype: str = "uint8", low: int = 0, high: int = 255) -> Any:
    """Return three bands of smooth colours with a fine texture."""
    rows, columns = np.mgrid[0:size, 0:size] / size
    waves = [np.sin(9 * columns + k) * np.cos(7 * rows - k) for k in range(3)]
    texture = ((rows * size * 7 + columns * size * 13) % 16) / 16
    span = high - low
    pixels = np.stack([low + span * (0.5 + 0.45 * wave + 0.05 * (texture - 0.5)) for wave in waves])
    pixels[:, 0, 0], pixels[:, 0, 1] = low, high
    return pixels.clip(low, high).astype(dtype)


def dem(size: int = 700, dtype: str = "float32", low: float = 1.0, high: float = 900.0) -> Any:
    """Return hills between sharp cliffs, where a method that overshoots would."""
    rows, columns = np.mgrid[0:size, 0:size] / size
    hills = 0.5 + 0.5 * np.sin(20 * rows) * np.cos(17 * columns)
    cliffs = np.where((columns * 10).astype(int) % 2 == 0, hills, 0.0)
    return (low + (high - low) * cliffs).astype(dtype)[np.newaxis]


def landcover(size: int = 700, values: tuple[int, ...] = (1, 2, 4, 8, 16, 32)) -> Any:
    """Return patches of classes."""
    rows, columns = np.mgrid[0:size, 0:size]
    return np.array(values, np.uint8)[(rows // 23 + columns // 31) % len(values)][np.newaxis]


RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
RGBA = (*RGB, ColorInterp.alpha)
