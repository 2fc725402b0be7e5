"""What a raster says of itself, put right by what the caller says of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader
from rasterio.transform import Affine, AffineTransformer, GCPTransformer, RPCTransformer

from services.findings import Findings
from services.raster.codes import (
    BANDS_INVALID,
    COMPLEX_UNSUPPORTED,
    GCPS_TOO_FEW,
    GEOREFERENCED_BY_GCPS,
    GEOREFERENCED_BY_RPCS,
    GEOREFERENCING_MISSING,
    GEOTRANSFORM_INVALID,
    GRID_FLIPPED,
    GRID_ROTATED,
    NODATA_DIFFERS,
    NODATA_INVALID,
)
from services.raster.models import Georeferencing, Validity
from services.raster.native.crs import WGS84, CrsSource, resolve_crs
from services.raster.tiff_header import read_header

_MAX_BANDS = 1000


@dataclass(frozen=True)
class Claims:
    """What the caller says of a source; None where the file is to be believed."""

    input_crs: str | None = None
    nodata: float | None = None
    rpc_height: float | None = None
    sidecars: Sequence[Path] = ()


@dataclass(frozen=True)
class Source:
    """An open raster and how to understand it.

    Args:
        dataset: Opened without its overviews.
        crs: None only if a finding says that it is missing.
        transform: None for GCPs and RPCs.
        rpc_height: Metres above the ellipsoid at which rational polynomials are used.
        nodata: Declared, and possible for the data type.
        alpha_band: 1-based index, None without one.
    """

    dataset: DatasetReader
    crs: CRS | None
    crs_source: CrsSource
    georeferencing: Georeferencing
    transform: Affine | None
    rpc_height: float
    dtype: str
    nodata: float | None
    validity: Validity
    alpha_band: int | None

    @property
    def is_float(self) -> bool:
        """Whether pixels can be NaN."""
        return self.dtype.startswith("float")

    @property
    def gcps(self) -> list[GroundControlPoint]:
        """Ground control points, if they place the raster."""
        return list(self.dataset.gcps[0]) if self.georeferencing == "gcps" else []

    def lonlat_transformer(self) -> Any:
        """Return a rasterio transformer between pixels and the CRS, within a pixel or so."""
        if self.georeferencing == "gcps":
            return GCPTransformer(self.gcps)
        if self.georeferencing == "rpcs":
            return RPCTransformer(self.dataset.rpcs, RPC_HEIGHT=self.rpc_height)
        return AffineTransformer(self.transform)


def read_source(dataset: DatasetReader, claims: Claims, findings: Findings) -> Source:
    """Understand an open raster, adding to `findings` what is wrong or worth knowing."""
    dtype = _dtype(dataset, findings)
    georeferencing, transform = _georeferencing(dataset, findings)
    crs, crs_source = resolve_crs(
        _own_crs(dataset, georeferencing), claims.input_crs, claims.sidecars, findings
    )
    alpha = _alpha_band(dataset)
    nodata = _nodata(dataset, dtype, claims, findings)
    rpc_height = _rpc_height(dataset, georeferencing, claims, findings)
    return Source(
        dataset=dataset,
        crs=crs,
        crs_source=crs_source,
        georeferencing=georeferencing,
        transform=transform,
        rpc_height=rpc_height,
        dtype=dtype,
        nodata=nodata,
        validity=_validity(dataset, nodata, alpha),
        alpha_band=alpha,
    )


def _dtype(dataset: DatasetReader, findings: Findings) -> str:
    dtypes = sorted(set(dataset.dtypes))
    complex_types = [dtype for dtype in dtypes if dtype.startswith("complex")]
    if complex_types:
        findings.add("error", COMPLEX_UNSUPPORTED, f"bands are of type {', '.join(complex_types)}")
    if len(dtypes) > 1:
        findings.add("error", BANDS_INVALID, f"bands differ in type: {', '.join(dtypes)}")
    if not 0 < dataset.count <= _MAX_BANDS:
        findings.add("error", BANDS_INVALID, f"the raster has {dataset.count} bands")
    return dtypes[0] if dtypes else "unknown"


def _georeferencing(dataset: DatasetReader, findings: Findings) -> tuple[Georeferencing, Affine | None]:
    transform = dataset.transform
    if transform != Affine.identity():
        return _affine(transform, findings), transform
    if points := dataset.gcps[0]:
        _check_gcps(points, findings)
        return "gcps", None
    if dataset.rpcs:
        return "rpcs", None
    findings.add("error", GEOREFERENCING_MISSING, "no geotransform, ground control points or polynomials")
    return "affine", None


def _affine(transform: Affine, findings: Findings) -> Georeferencing:
    coefficients = tuple(transform)[:6]
    if not all(map(math.isfinite, coefficients)) or transform.determinant == 0:
        findings.add("error", GEOTRANSFORM_INVALID, f"the geotransform is {coefficients}")
        return "affine"
    if transform.b or transform.d:
        angle = math.degrees(math.atan2(transform.d, transform.a))
        findings.add("info", GRID_ROTATED, f"the grid is rotated or sheared, by {angle:.2f} degrees")
        return "rotated"
    if transform.e > 0 or transform.a < 0:
        findings.add("info", GRID_FLIPPED, "rows run northwards or columns westwards")
        return "flipped"
    return "affine"


def _check_gcps(points: Sequence[GroundControlPoint], findings: Findings) -> None:
    """Say which polynomial GDAL fits: of first order, or from six points on of second.

    Third order would be possible from ten, but runs wild between the points.
    """
    order = "second" if len(points) >= 6 else "first"
    if not _determined(points, second_order=order == "second"):
        curve = "curve of second order, such as a circle or two lines" if order == "second" else "line"
        findings.add("error", GCPS_TOO_FEW, f"all {len(points)} points lie on one {curve}")
        return
    findings.add(
        "warning", GEOREFERENCED_BY_GCPS, f"{len(points)} points, fitted by a polynomial of {order} order"
    )


def _determined(points: Sequence[GroundControlPoint], *, second_order: bool) -> bool:
    """Tell whether points determine a polynomial; GDAL does not try a lower order by itself."""
    places = np.array([(point.col, point.row) for point in points], float)
    # Of one size, so that the rank is that of the places and not of the units.
    column, row = ((places - places.mean(axis=0)) / max(float(np.ptp(places)), 1.0)).T
    terms = [np.ones_like(row), column, row]
    if second_order:
        terms += [column * column, column * row, row * row]
    return len(points) >= len(terms) and bool(np.linalg.matrix_rank(np.stack(terms), tol=1e-6) == len(terms))


def _own_crs(dataset: DatasetReader, georeferencing: Georeferencing) -> tuple[CRS | None, CrsSource]:
    if georeferencing == "gcps":
        return dataset.gcps[1] or dataset.crs, "gcps"
    if georeferencing == "rpcs":
        return WGS84, "rpcs"
    return dataset.crs, "file"


def _rpc_height(
    dataset: DatasetReader, georeferencing: Georeferencing, claims: Claims, findings: Findings
) -> float:
    if georeferencing != "rpcs":
        return 0.0
    height = dataset.rpcs.height_off if claims.rpc_height is None else claims.rpc_height
    findings.add("warning", GEOREFERENCED_BY_RPCS, f"polynomials are used at a height of {height:g} m")
    return float(height)


def _alpha_band(dataset: DatasetReader) -> int | None:
    return next(
        (
            index
            for index, meaning in zip(dataset.indexes, dataset.colorinterp, strict=True)
            if meaning == ColorInterp.alpha and dataset.count > 1
        ),
        None,
    )


def _nodata(dataset: DatasetReader, dtype: str, claims: Claims, findings: Findings) -> float | None:
    declared = {value for value in dataset.nodatavals if value is not None} or _impossible_nodata(dataset)
    finite = {value for value in declared if not math.isnan(value)}
    if len(finite) + (len(finite) < len(declared)) > 1 and claims.nodata is None:
        findings.add("error", NODATA_DIFFERS, f"bands declare {sorted(finite)}")
    value = claims.nodata if claims.nodata is not None else next(iter(declared), None)
    if value is None or _fits(value, dtype):
        return value
    if claims.nodata is not None:
        findings.add("error", NODATA_INVALID, f"`nodata` is {value:g}, which no {dtype} can be")
    else:
        findings.add("warning", NODATA_INVALID, f"no {dtype} can be {value:g}; nodata is taken as undeclared")
    return None


def _impossible_nodata(dataset: DatasetReader) -> set[float]:
    """Return what a TIFF declares although its data type cannot hold it."""
    if dataset.driver != "GTiff":
        return set()
    try:
        return {float(read_header(Path(dataset.name)).nodata or "none")}
    except ValueError:
        return set()


def _fits(value: float, dtype: str) -> bool:
    if dtype.startswith("float"):
        return dtype == "float64" or not math.isfinite(value) or abs(value) <= float(np.finfo("float32").max)
    if dtype.startswith(("int", "uint")):
        limits = np.iinfo(dtype)
        whole = math.isfinite(value) and float(value).is_integer()
        return whole and bool(int(limits.min) <= value <= int(limits.max))
    return True


def _validity(dataset: DatasetReader, nodata: float | None, alpha: int | None) -> Validity:
    if alpha is not None:
        return "alpha"
    if nodata is not None:
        return "nan" if math.isnan(nodata) else "nodata"
    masked = any(
        MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags for flags in dataset.mask_flag_enums
    )
    return "mask" if masked else "none"
