"""Coordinate reference systems: parsed, named and compared as objects, never as strings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import rasterio
from rasterio.crs import CRS

from core.crs_texts import can_be_crs
from core.errors import TaskFailed
from services.findings import Findings
from services.raster.codes import CRS_ASSUMED, CRS_MISMATCH, CRS_MISSING, CRS_UNKNOWN
from services.raster.native.gdal_errors import GDAL_ERRORS

CrsSource = Literal["file", "confirmed", "input_crs", "sidecar", "gcps", "rpcs"]
WGS84 = CRS.from_epsg(4326)


def parse_crs(text: str, parameter: str) -> CRS:
    """Parse an authority code, WKT, PROJ string or PROJJSON; names of files and addresses are none.

    Raises:
        TaskFailed: ``raster.crs_unknown``.
    """
    message = f"{parameter} {text[:200]!r} is no known coordinate reference system"
    if not can_be_crs(text):
        raise TaskFailed(CRS_UNKNOWN, message, parameter=parameter)
    try:
        # Without the Env, PROJ's complaint would go to stderr as well.
        with rasterio.Env():
            crs = CRS.from_string(text)
            known = is_usable(crs)
    except (*GDAL_ERRORS, ValueError) as error:
        raise TaskFailed(CRS_UNKNOWN, message, parameter=parameter) from error
    if not known:
        raise TaskFailed(CRS_UNKNOWN, message, parameter=parameter)
    return crs


def is_usable(crs: CRS | None) -> bool:
    """Tell whether a CRS places things on the Earth; local and engineering ones do not."""
    return bool(crs) and crs is not None and (crs.is_geographic or crs.is_projected)


def crs_name(crs: CRS) -> str:
    """Return ``EPSG:n`` or another authority's code if there is one, else WKT 2."""
    authority = crs.to_authority(confidence_threshold=100) or crs.to_authority()
    if authority and same_crs(crs, CRS.from_string(":".join(authority))):
        return ":".join(authority)
    return str(crs.to_wkt(version="WKT2_2019"))


def same_crs(one: CRS, other: CRS) -> bool:
    """Tell whether two spellings mean one system, whatever they call it."""
    if one == other:
        return True
    code = one.to_epsg()
    return code is not None and code == other.to_epsg()


def resolve_crs(
    own: tuple[CRS | None, CrsSource], input_crs: str | None, sidecars: Sequence[Path], findings: Findings
) -> tuple[CRS | None, CrsSource]:
    """Decide which CRS a raster has: the file's own, else `input_crs`, else that of a .prj file.

    A caller who says otherwise than the file is refused rather than believed: one of them is
    wrong, and the data would land in the wrong place.

    Args:
        own: CRS of the file and where in the file it stands.
        input_crs: What the caller says.
        sidecars: Files beside the raster.
        findings: Gets ``raster.crs_mismatch``, ``raster.crs_missing`` or ``raster.crs_unknown``.
    """
    crs, source = own
    try:
        given = parse_crs(input_crs, "input_crs") if input_crs else None
    except TaskFailed as error:
        findings.add("error", error.code, error.message)
        return crs, source
    if crs is not None and is_usable(crs):
        return _confirmed(crs, source, given, findings)
    if given is not None:
        findings.add("warning", CRS_ASSUMED, f"the file names no CRS; {crs_name(given)} is from input_crs")
        return given, "input_crs"
    if sidecar := _sidecar_crs(sidecars):
        findings.add("info", CRS_ASSUMED, f"the file names no CRS; {crs_name(sidecar)} is from its .prj file")
        return sidecar, "sidecar"
    findings.add("error", CRS_MISSING, _missing_message(crs))
    return None, source


def _missing_message(crs: CRS | None) -> str:
    if crs:
        return f"the file's CRS is no place on the Earth: {crs.to_wkt()[:120]}"
    return "the file names no coordinate reference system"


def _confirmed(crs: CRS, source: CrsSource, given: CRS | None, findings: Findings) -> tuple[CRS, CrsSource]:
    if given is None:
        return crs, source
    if same_crs(crs, given):
        return crs, "confirmed" if source == "file" else source
    findings.add(
        "error", CRS_MISMATCH, f"the file says {crs_name(crs)[:200]}, input_crs says {crs_name(given)[:200]}"
    )
    return crs, source


def _sidecar_crs(sidecars: Sequence[Path]) -> CRS | None:
    for path in sidecars:
        if path.suffix.lower() != ".prj":
            continue
        try:
            crs = CRS.from_wkt(path.read_text(errors="replace")[:65_536], morph_from_esri_dialect=True)
        except GDAL_ERRORS:
            continue
        if is_usable(crs):
            return crs
    return None
