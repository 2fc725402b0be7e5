"""Functions for isolated children of kind raster."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from pydantic import BaseModel
from rasterio.errors import RasterioError

from core.isolation import Child


class Names(BaseModel):
    names: list[str]
    driver: str | None = "GTiff"


class Answer(BaseModel):
    value: Any = None


def list_drivers(parameters: Names, child: Child) -> Answer:
    with rasterio.Env() as env:
        return Answer(value=sorted(env.drivers()))


def show_options(parameters: Names, child: Child) -> Answer:
    options = rasterio.env.get_gdal_config
    with rasterio.Env():
        return Answer(value={name: options(name, normalize=False) for name in parameters.names})


def write_tiffs(parameters: Names, child: Child) -> Answer:
    for name in parameters.names:
        write_tiff(Path(name))
    return Answer()


def read_all(parameters: Names, child: Child) -> Answer:
    return Answer(value={name: read(name, parameters.driver) for name in parameters.names})


def read_overview(parameters: Names, child: Child) -> Answer:
    """Write a file whose tag names the second one as its overview, and read it as small as it is."""
    name, overview = parameters.names
    write_tiff(Path(name))
    with rasterio.open(name, "r+", driver="GTiff") as target:
        target.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=overview)
    with rasterio.open(name, driver="GTiff") as source:
        assert source.tags(ns="OVERVIEWS") == {"OVERVIEW_FILE": overview}
        source.read(1, out_shape=(16, 16))
        return Answer(value=source.width)


def convert_to_cogs(parameters: Names, child: Child) -> Answer:
    write_tiff(Path("source.tif"))
    means = {}
    for compression in parameters.names:
        rasterio.shutil.copy("source.tif", "cog.tif", driver="COG", compress=compression, blocksize=128)
        with rasterio.open("cog.tif") as cog:
            means[compression] = float(cog.read(1, out_shape=(64, 64)).mean())
    return Answer(value=means)


def write_tiff(path: Path) -> None:
    pixels = np.full((3, 512, 512), 7, dtype="uint8")
    shape = {"count": 3, "height": 512, "width": 512, "dtype": "uint8"}
    transform = rasterio.Affine(10, 0, 500_000, 0, -10, 5_800_000)
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32633", transform=transform, **shape) as target:
        target.write(pixels)


def read(name: str, driver: str | None) -> float | str:
    try:
        with rasterio.open(name, driver=driver) as source:
            return float(source.read(1).mean())
    except RasterioError as error:
        return type(error).__name__
