"""The errors that rasterio raises: its own, and GDAL's as it met them."""

from typing import Final

from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

GDAL_ERRORS: Final = (RasterioError, CPLE_BaseError)
