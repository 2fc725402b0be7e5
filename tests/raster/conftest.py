"""Rasters made to order, and the isolated functions run in this process.

This process is one of its own for rasterio's GDAL, with the drivers and settings of the child.
"""

import os

from infrastructure.isolation import drivers
from infrastructure.isolation.environment import server_environment

_SETTINGS = server_environment([], {"GDAL_CACHEMAX": "256"})
os.environ.update(
    {name: value for name, value in _SETTINGS.items() if name.startswith(("GDAL", "CPL", "PROJ"))}
)
drivers.restrict("raster")

pytest_plugins = ["tests.raster.factory"]
