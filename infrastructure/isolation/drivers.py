"""Which GDAL drivers exist for a kind of child: those on a list, and no other.

A driver given by name at `open` is not enough, because drivers open other files with other
drivers. GDAL drops the drivers named in ``GDAL_SKIP`` while it registers them, so the list has
to be complete before the library is imported; only the library itself knows its drivers.
"""

import ctypes
import importlib
import importlib.util
import json
import os
import sys

from core.ports.isolation import IsolationKind

# COG, MEM and VRT are for our own code only: files of users are opened with drivers by name.
ALLOWED: dict[IsolationKind, frozenset[str]] = {
    "raster": frozenset(
        {"GTiff", "HFA", "JP2OpenJPEG", "AAIGrid", "SRTMHGT", "DTED", "PNG", "COG", "MEM", "VRT"}
    ),
    "vector": frozenset(
        {
            "ESRI Shapefile",
            "GPKG",
            "GeoJSON",
            "GeoJSONSeq",
            "TopoJSON",
            "FlatGeobuf",
            "OpenFileGDB",
            "LIBKML",
            "GPX",
            "CSV",
            "MapInfo File",
            "MEM",
        }
    ),
}

_BINDINGS: dict[IsolationKind, str] = {"raster": "rasterio", "vector": "pyogrio"}


class DriversLeft(Exception):
    """GDAL registered drivers that are not on the list."""


def restrict(kind: IsolationKind) -> None:
    """Set ``GDAL_SKIP`` in this process, which has not imported GDAL yet."""
    forbidden = sorted(_names_in_a_fork(kind) - ALLOWED[kind])
    # A trailing comma makes GDAL split at commas even if there is one name with a space in it.
    os.environ["GDAL_SKIP"] = ",".join(forbidden) + ","


def check(kind: IsolationKind) -> None:
    """Import the kind's library and make sure that the skip list took effect.

    Raises:
        DriversLeft: It did not.
    """
    left = _names(kind) - ALLOWED[kind]
    if left:
        raise DriversLeft(f"GDAL registered {', '.join(sorted(left))}")


def _names(kind: IsolationKind) -> set[str]:
    binding = _BINDINGS[kind]
    if importlib.util.find_spec(binding) is None:
        return set()
    library = importlib.import_module(binding)
    if kind == "vector":
        return _names_by_symbols(importlib.import_module("pyogrio._ogr").__file__)
    with library.Env() as env:
        return set(env.drivers())


def _names_by_symbols(extension: str | None) -> set[str]:
    """List the drivers of the GDAL that a loaded extension module is linked to.

    pyogrio itself tells only the vector drivers, and its GDAL has the others too.
    """
    gdal = ctypes.CDLL(extension)
    gdal.GDALGetDriver.restype = ctypes.c_void_p
    gdal.GDALGetDriverShortName.argtypes = (ctypes.c_void_p,)
    gdal.GDALGetDriverShortName.restype = ctypes.c_char_p
    drivers = (gdal.GDALGetDriver(index) for index in range(gdal.GDALGetDriverCount()))
    return {gdal.GDALGetDriverShortName(driver).decode() for driver in drivers}


def _names_in_a_fork(kind: IsolationKind) -> set[str]:
    """List the drivers of an unrestricted GDAL without importing it here."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, json.dumps(sorted(_names(kind))).encode())
            os._exit(0)
        finally:
            sys.stderr.flush()
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        listed = pipe.read()
    _, status = os.waitpid(pid, 0)
    if status != 0:
        raise DriversLeft(f"the drivers of {_BINDINGS[kind]} cannot be listed")
    return set(json.loads(listed))
