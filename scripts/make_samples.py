"""Build what is in `samples/` from data that other packages ship under free licences.

The results are in the repository; this says where they come from, and makes them again. It
downloads three wheels with pip and takes the files out of each.
"""

import io
import subprocess
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from rasterio.transform import Affine, from_bounds
from rasterio.warp import Resampling, calculate_default_transform, reproject

SAMPLES = Path(__file__).parent.parent / "samples"
CARTOPY = "cartopy==0.25.0"
MATPLOTLIB = "matplotlib==3.10.0"
MODIS = "cartopy/data/raster/sample/Miriam.A2012270.2050.2km.jpg"
# From the README beside the image: west, east, south, north in degrees.
MODIS_EXTENT = (-120.6766, -106.321045231, 13.2301484511245, 30.7668999999995)
SRTM = "matplotlib/mpl-data/sample_data/jacksboro_fault_dem.npz"
PYOGRIO = "pyogrio==0.13.0"
COUNTRIES = "pyogrio/tests/fixtures/naturalearth_lowres/naturalearth_lowres"
SHAPEFILE = (".shp", ".shx", ".dbf", ".prj", ".cpg")
OPTIONS = {"driver": "GTiff", "compress": "DEFLATE", "predictor": 2, "tiled": True, "blockxsize": 256}


def main() -> None:
    """Write every sample raster."""
    with tempfile.TemporaryDirectory() as directory:
        write_hurricane(member(CARTOPY, MODIS, Path(directory)))
        write_fault(member(MATPLOTLIB, SRTM, Path(directory)))
        write_countries(
            {ending: member(PYOGRIO, f"{COUNTRIES}{ending}", Path(directory)) for ending in SHAPEFILE}
        )


def member(package: str, name: str, directory: Path) -> bytes:
    """Return a file of a package's wheel."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(directory)]
    subprocess.run([*command, package], check=True)
    [wheel] = directory.glob(f"{package.partition('==')[0]}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name)


def write_hurricane(jpeg: bytes) -> None:
    """Write the satellite picture, in Web Mercator so that publishing it has something to warp."""
    with warnings.catch_warnings(), MemoryFile(jpeg) as file:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with file.open() as picture:
            pixels = picture.read()
    west, east, south, north = MODIS_EXTENT
    height, width = pixels.shape[1:]
    geographic, mercator = CRS.from_epsg(4326), CRS.from_epsg(3857)
    placed = from_bounds(west, south, east, north, width, height)
    transform, columns, rows = calculate_default_transform(
        geographic, mercator, width, height, west, south, east, north
    )
    warped = np.zeros((3, rows, columns), np.uint8)
    reproject(
        pixels,
        warped,
        src_transform=placed,
        src_crs=geographic,
        dst_transform=transform,
        dst_crs=mercator,
        resampling=Resampling.cubic,
    )
    # The name of the granule: day 270 of 2012, 20:50.
    write(
        "hurricane_miriam_modis.tif", warped, mercator, transform, {"TIFFTAG_DATETIME": "2012:09:26 20:50:00"}
    )


def write_fault(archive: bytes) -> None:
    """Write the elevation model as SRTM delivers it: geographic, whole metres."""
    data = np.load(io.BytesIO(archive))
    heights = data["elevation"][np.newaxis]
    # The package names its edges by the side from which it draws, so that `ymin` is the north.
    transform = Affine(float(data["dx"]), 0, float(data["xmin"]), 0, -float(data["dy"]), float(data["ymin"]))
    write("jacksboro_fault_dem.tif", heights, CRS.from_epsg(4326), transform, {"AREA_OR_POINT": "Area"})


def write_countries(parts: dict[str, bytes]) -> None:
    """Pack the countries of Natural Earth as people send Shapefiles."""
    with zipfile.ZipFile(SAMPLES / "countries.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for ending, content in parts.items():
            # With one date for all, so that the same data make the same archive.
            entry = zipfile.ZipInfo(f"countries{ending}", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def write(name: str, pixels: Any, crs: CRS, transform: Affine, tags: dict[str, str]) -> None:
    """Write pixels of shape (bands, rows, columns)."""
    count, height, width = pixels.shape
    with rasterio.open(
        SAMPLES / name,
        "w",
        height=height,
        width=width,
        count=count,
        dtype=pixels.dtype,
        crs=crs,
        transform=transform,
        photometric="RGB" if count == 3 else "MINISBLACK",
        blockysize=256,
        **OPTIONS,
    ) as dataset:
        dataset.write(pixels)
        dataset.update_tags(**tags)
        if count == 1:
            dataset.units = ("m",)
            dataset.descriptions = ("elevation",)
            dataset.colorinterp = (ColorInterp.gray,)


if __name__ == "__main__":
    main()
