"""Leave OGR one driver to open a file with.

A driver given by name is not enough, because drivers open other files with other drivers. The
list of drivers that a child has is short already; while a file is open it is one.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

from pyogrio import _ogr

from services.vector.models import Driver


def _library() -> ctypes.CDLL:
    """Return the GDAL that pyogrio is linked to, with the signatures of what is called here."""
    gdal = ctypes.CDLL(_ogr.__file__)
    gdal.GDALGetDriver.restype = ctypes.c_void_p
    gdal.GDALGetDriver.argtypes = (ctypes.c_int,)
    gdal.GDALGetDriverShortName.restype = ctypes.c_char_p
    gdal.GDALGetDriverShortName.argtypes = (ctypes.c_void_p,)
    gdal.GDALDeregisterDriver.argtypes = (ctypes.c_void_p,)
    gdal.GDALRegisterDriver.argtypes = (ctypes.c_void_p,)
    gdal.OGR_G_CreateFromWkt.argtypes = (
        ctypes.POINTER(ctypes.c_char_p),
        ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_void_p),
    )
    gdal.OGR_G_CreateFromWkb.argtypes = (
        ctypes.c_char_p,
        ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_void_p),
        ctypes.c_int,
    )
    gdal.OGR_G_GetEnvelope.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    gdal.OGR_G_WkbSize.argtypes = (ctypes.c_void_p,)
    gdal.OGR_G_ExportToIsoWkb.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)
    gdal.OGR_G_DestroyGeometry.argtypes = (ctypes.c_void_p,)
    return gdal


#: The C interface of the GDAL that pyogrio carries.
GDAL = _library()


@contextmanager
def only(driver: Driver) -> Iterator[None]:
    """Take every other driver away, and give them back at the end."""
    others = [
        handle
        for handle in map(GDAL.GDALGetDriver, range(GDAL.GDALGetDriverCount()))
        if GDAL.GDALGetDriverShortName(handle) != driver.encode()
    ]
    for handle in others:
        GDAL.GDALDeregisterDriver(handle)
    try:
        yield
    finally:
        for handle in others:
            GDAL.GDALRegisterDriver(handle)
