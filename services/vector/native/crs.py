"""Coordinate reference systems: parsed, named and compared as objects, never as strings."""

import re
from dataclasses import dataclass
from typing import Final

from pyproj import CRS
from pyproj.exceptions import CRSError
from shapely.geometry import box

from core.errors import TaskFailed
from services.findings import Findings
from services.vector.codes import (
    CRS_ASSUMED,
    CRS_MISMATCH,
    CRS_MISSING,
    CRS_UNKNOWN,
    TARGET_CRS_UNSUITABLE,
)
from services.vector.models import Bounds, CrsSource

# Anything else PROJ may take for a file or an address.
_PLAUSIBLE: Final = re.compile(r"\s*(?:[A-Za-z_]+:[A-Za-z0-9]+\s*$|[A-Za-z]+\s*\[|\+proj=|\{)")
# Degrees by which data may lie beside the area that a CRS is made for.
_MARGIN: Final = 1.0
WGS84: Final = CRS.from_epsg(4326)


@dataclass(frozen=True)
class OwnCrs:
    """What a file says of its CRS.

    Args:
        text: Authority code, WKT, PROJ string or PROJJSON; None if it says nothing.
        source: ``file``, or ``format`` where a standard fixes it.
    """

    text: str | None
    source: CrsSource = "file"


def parse_crs(text: str, parameter: str) -> CRS:
    """Parse an authority code, WKT, PROJ string or PROJJSON; names of files and addresses are none.

    Raises:
        TaskFailed: ``vector.crs_unknown``.
    """
    message = f"{parameter} {text[:200]!r} is no known coordinate reference system"
    if not _PLAUSIBLE.match(text):
        raise TaskFailed(CRS_UNKNOWN, message, parameter=parameter)
    try:
        crs = horizontal(CRS.from_user_input(text))
    except CRSError as error:
        raise TaskFailed(CRS_UNKNOWN, message, parameter=parameter) from error
    if not is_usable(crs):
        message = f"{parameter} {text[:200]!r} is neither geographic nor projected"
        raise TaskFailed(CRS_UNKNOWN, message, parameter=parameter)
    return crs


def parse_target(text: str) -> tuple[CRS, int]:
    """Return a target CRS and the number under which PostGIS knows it.

    Raises:
        TaskFailed: ``vector.crs_unknown``, ``vector.target_crs_unsuitable``.
    """
    crs = parse_crs(text, "target_crs")
    code = crs.to_epsg()
    if code is None:
        raise TaskFailed(TARGET_CRS_UNSUITABLE, f"target_crs {text[:200]!r} has no EPSG code")
    return crs, code


def horizontal(crs: CRS) -> CRS:
    """Return a CRS without its heights: Z is carried along as it is, never transformed."""
    if crs.is_compound:
        return horizontal(crs.sub_crs_list[0])
    return crs.to_2d() if len(crs.axis_info) == 3 and not crs.is_geocentric else crs


def is_usable(crs: CRS) -> bool:
    """Tell whether a CRS places things on the Earth's surface; local and engineering ones do not."""
    return bool(crs.is_geographic or crs.is_projected)


def crs_name(crs: CRS) -> str:
    """Return ``EPSG:n`` or another authority's code if there is one, else WKT 2."""
    authority = crs.to_authority(min_confidence=100) or crs.to_authority()
    if authority and same_crs(crs, CRS.from_authority(*authority)):
        return ":".join(authority)
    return str(crs.to_wkt())


def same_crs(one: CRS, other: CRS) -> bool:
    """Tell whether two spellings mean one system, whatever they call it.

    The order of axes does not count: files carry easting or longitude first, always.
    """
    if one.equals(other, ignore_axis_order=True):
        return True
    code = one.to_epsg()
    return code is not None and code == other.to_epsg()


def means_degrees(text: str) -> bool:
    """Tell whether a text names longitude and latitude of WGS 84."""
    if text.upper() == "CRS84":
        return True
    crs = _own_crs(OwnCrs(text))
    return crs is not None and same_crs(crs, WGS84)


def resolve_crs(own: OwnCrs, input_crs: str | None, findings: Findings) -> tuple[CRS, CrsSource]:
    """Decide which CRS a file has: its own, else `input_crs`.

    A caller who says otherwise than the file is refused rather than believed: one of them is
    wrong, and the data would land in the wrong place. What only a standard says may be overruled,
    for files that break it are common.

    Raises:
        TaskFailed: ``vector.crs_missing``, ``vector.crs_mismatch``, ``vector.crs_unknown``.
    """
    given = parse_crs(input_crs, "input_crs") if input_crs else None
    crs = _own_crs(own)
    if crs is None or (given is not None and own.source == "format" and not same_crs(crs, given)):
        if given is None:
            raise TaskFailed(CRS_MISSING, _missing_message(own))
        findings.add("warning", CRS_ASSUMED, f"{crs_name(given)[:200]} is from input_crs, not from the file")
        return given, "input_crs"
    if given is None:
        return crs, own.source
    if not same_crs(crs, given):
        raise TaskFailed(
            CRS_MISMATCH,
            f"the file says {crs_name(crs)[:200]}, input_crs says {crs_name(given)[:200]}",
        )
    return crs, "confirmed" if own.source == "file" else own.source


def lies_outside(crs: CRS, bbox: Bounds) -> str | None:
    """Return the words for a file that lies nowhere near where its CRS is meant to be used."""
    area = crs.area_of_use
    if area is None:
        return None
    west, south, east, north = bbox
    if area.west > area.east or west > east:
        apart = south > area.north + _MARGIN or north < area.south - _MARGIN
    else:
        apart = not box(*bbox).buffer(_MARGIN).intersects(box(*area.bounds))
    if not apart:
        return None
    return (
        f"the features lie between {west:.4g} and {east:.4g} east, {south:.4g} and {north:.4g} north; "
        f"{crs_name(crs)[:60]} is made for {area.name.rstrip('.')[:200]}"
    )


def _own_crs(own: OwnCrs) -> CRS | None:
    # An initialisation file may be any file of the machine.
    if own.text is None or "init=" in own.text:
        return None
    try:
        crs = horizontal(CRS.from_user_input(own.text))
    except CRSError:
        return None
    return crs if is_usable(crs) else None


def _missing_message(own: OwnCrs) -> str:
    if own.text:
        return f"the file's CRS is not known, or no place on the Earth: {own.text[:120]}"
    return "the file names no coordinate reference system"
