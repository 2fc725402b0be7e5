"""``python -m tests.acceptance.rasters DIRECTORY``: write the rasters that the tests upload.

In a process of its own: rasterio's GDAL must not meet another in the tests'.
"""

import struct
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import Affine, from_origin
from rasterio.windows import Window

UTM = from_origin(500_000, 5_600_000, 10, 10)
NAN = float("nan")
HUGE = 40_000
LONG = 4_096


def write_all(directory: Path, listener: str) -> None:
    """Write every raster.

    Args:
        directory: Where to.
        listener: Address at which a test would notice that a raster made GDAL connect.
    """
    pixels = picture(256)
    write(directory / "good.tif", pixels)
    write(directory / "complex.tif", pixels.astype("complex64"))
    write(directory / "no_crs.tif", pixels, crs=None)
    write(directory / "nan_geotransform.tif", pixels, transform=Affine(10, 0, NAN, 0, -10, 5e6))
    write(directory / "nodata_only.tif", np.full((1, 64, 64), -9999, "int16"), nodata=-9999)
    (directory / "unknown_epsg.tif").write_bytes(with_code(directory / "good.tif", 32_633, 29_999))
    (directory / "zero_size.tif").write_bytes(zero_size())
    (directory / "truncated.tif").write_bytes((directory / "good.tif").read_bytes()[:-20_000])
    for name, target in (("local", "/etc/passwd"), ("remote", f"/vsicurl/http://{listener}/a.tif")):
        write(directory / f"overview_{name}.tif", pixels)
        with rasterio.open(directory / f"overview_{name}.tif", "r+") as dataset:
            dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=target)
    write(directory / "tagged_worldview.tif", np.concatenate([pixels.astype("uint16") * 8] * 3)[:8])
    with rasterio.open(directory / "tagged_worldview.tif", "r+") as dataset:
        dataset.update_tags(ns="IMD", **{"IMAGE_1.satId": "WV03"})
    write_constant(directory / "huge_constant.tif")
    write_long(directory / "long.tif")


def picture(size: int) -> Any:
    """Return three bands of noise on a slope: what no codec makes small."""
    random = np.random.default_rng(7)
    slope = np.linspace(20, 200, size)[np.newaxis, np.newaxis, :]
    return (slope + random.normal(0, 12, (3, size, size))).clip(1, 255).astype("uint8")


def write(path: Path, pixels: Any, **options: Any) -> None:
    """Write a GeoTIFF."""
    profile = {"crs": "EPSG:32633", "transform": UTM, "tiled": True, "blockxsize": 256, "blockysize": 256}
    count, height, width = pixels.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="GTiff", count=count, height=height, width=width, dtype=pixels.dtype,
            **(profile | options),
        ) as dataset:  # fmt: skip
            dataset.write(pixels)


def with_code(path: Path, code: int, other: int) -> bytes:
    """Return a file with another EPSG code in its GeoKeys, and no text that says the CRS as well."""
    key = struct.pack("<HHH", 3072, 0, 1)
    content = path.read_bytes()
    assert content.count(key + struct.pack("<H", code)) == 1
    return content.replace(key + struct.pack("<H", code), key + struct.pack("<H", other))


def zero_size() -> bytes:
    """Return a TIFF of 0 x 5 pixels."""
    entries = [(256, 3, 0), (257, 3, 5), (258, 3, 8), (262, 3, 1), (273, 4, 8), (279, 4, 1)]
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\x00" + struct.pack("<IH", 8, len(entries)) + directory + struct.pack("<I", 0)


def write_constant(path: Path) -> None:
    """Write 1.6 gigapixels of one value, every block of them in the file, in a few megabytes."""
    profile = {"driver": "GTiff", "width": HUGE, "height": HUGE, "count": 1, "dtype": "uint8"}
    profile |= {"tiled": True, "blockxsize": 4096, "blockysize": 4096, "compress": "DEFLATE", "zlevel": 1}
    rows = np.full((4096, HUGE), 7, "uint8")
    with rasterio.open(path, "w", crs="EPSG:32633", transform=UTM, **profile) as dataset:
        for row in range(0, HUGE, 4096):
            height = min(4096, HUGE - row)
            dataset.write(rows[:height], 1, window=Window(0, row, HUGE, height))


def write_long(path: Path) -> None:
    """Write a picture that takes long enough to be interrupted while its COG is written."""
    tile = picture(1024)
    write(path, np.tile(tile, (1, LONG // 1024, LONG // 1024)), photometric="RGB")


if __name__ == "__main__":
    write_all(Path(sys.argv[1]), sys.argv[2])
