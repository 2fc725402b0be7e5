"""Vector files made to order, and the isolated function run in this process.

This process is one of its own for pyogrio's GDAL, with the drivers and settings of the child.
"""

import os

from infrastructure.isolation import drivers
from infrastructure.isolation.environment import server_environment

_SETTINGS = server_environment([], {})
os.environ.update(
    {name: value for name, value in _SETTINGS.items() if name.startswith(("GDAL", "CPL", "PROJ"))}
)
drivers.restrict("vector")

pytest_plugins = ["tests.vector.desk"]
