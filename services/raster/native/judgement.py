"""What the pixels say against what the file and the caller say of them."""

from typing import Final

import numpy as np

from services.findings import Findings, Severity
from services.raster.codes import (
    BIT_DEPTH_CLASSES,
    BIT_DEPTH_INTEGERS,
    BIT_DEPTH_WASTEFUL,
    BLANK,
    NO_DATA,
    NODATA_SUSPECTED,
    TIER_UNSUITABLE,
    TYPE_ASSERTED,
    TYPE_MISMATCH,
    TYPE_UNCERTAIN,
)
from services.raster.models import BandOverview, DetectedType, InspectRaster
from services.raster.native.pixels import Look
from services.raster.native.source import Source
from services.raster.tiers import RasterType, tier_suits

_WASTEFUL: Final = frozenset({"float64", "int64", "uint64"})
_USUAL_NODATA: Final = (0, 255, 65535, -1, -99, -999, -9999, -32768, -32767, -99999, 1e20, 1e38)
# Less of the border than this is a lake or a shadow; more is a frame.
_BORDER_SHARE: Final = 0.25


def judge_pixels(look: Look, request: InspectRaster, findings: Findings) -> None:
    """Add an error if there is nothing to see: all nodata, or one value everywhere."""
    if not look.any_valid:
        findings.add("error", NO_DATA, "no pixel is valid")
    elif look.constant:
        values = ", ".join(f"{value:g}" for value in look.minimum[:8])
        severity: Severity = "warning" if request.raster_type == "categorical" else "error"
        findings.add(severity, BLANK, f"every pixel is {values}")


def judge_bit_depth(
    source: Source, look: Look, overviews: list[BandOverview], *, strict: bool, findings: Findings
) -> None:
    """Add warnings, errors if `strict`, for types that are wider than what they hold."""
    severity: Severity = "error" if strict else "warning"
    if source.dtype in _WASTEFUL:
        findings.add(severity, BIT_DEPTH_WASTEFUL, f"{source.dtype} takes twice the room of 32 bits")
    if not source.is_float or not look.any_valid or look.constant:
        return
    values = look.sample[look.valid]
    if overviews[0].distinct is not None:
        findings.add(severity, BIT_DEPTH_CLASSES, f"{overviews[0].distinct} values as {source.dtype}")
    elif bool(np.all(values == np.round(values))):
        findings.add(severity, BIT_DEPTH_INTEGERS, f"only whole numbers as {source.dtype}")


def judge_type(
    source: Source,
    detected: DetectedType,
    overviews: list[BandOverview],
    request: InspectRaster,
    findings: Findings,
) -> RasterType:
    """Return the type to go by, adding what speaks against it."""
    asked = request.raster_type
    if asked == "auto":
        if detected.confidence == "low":
            findings.add("warning", TYPE_UNCERTAIN, "; ".join(detected.evidence))
        return detected.raster_type
    if asked == detected.raster_type:
        return asked
    message = (
        f"raster_type is {asked}, the data look like {detected.raster_type} ({'; '.join(detected.evidence)})"
    )
    if detected.confidence == "very_high" or not could_be(asked, source, overviews):
        findings.add("error", TYPE_MISMATCH, message)
    else:
        findings.add("warning", TYPE_ASSERTED, message)
    return asked


def could_be(kind: RasterType, source: Source, overviews: list[BandOverview]) -> bool:
    """Tell whether bands and data type allow a raster to be of a type."""
    colours = source.dataset.count - (source.alpha_band is not None)
    picture = source.dtype in ("uint8", "uint16")
    few = overviews[0].distinct is not None
    allowed: dict[RasterType, bool] = {
        "rgb": picture and colours == 3,
        "rgba": picture and source.dataset.count == 4,
        "nir": picture and colours == 4,
        "dem": colours == 1,
        "categorical": colours == 1 and (few or not source.is_float),
        "multispectral": colours > 1,
    }
    return allowed.get(kind, False)


def judge_tier(source: Source, request: InspectRaster, findings: Findings) -> None:
    """Add an error if the tier asked for cannot hold the data; with ``all`` it is left out."""
    fits = tier_suits(
        "visualization", source.dtype, source.dataset.count, has_alpha=source.alpha_band is not None
    )
    if fits or request.output_tier not in ("visualization", "all"):
        return
    message = f"{source.dataset.count} bands of {source.dtype} do not fit into JPEG"
    if request.output_tier == "all":
        findings.add("warning", TIER_UNSUITABLE, f"{message}; visualization is left out")
    else:
        findings.add("error", TIER_UNSUITABLE, message)


def judge_border(source: Source, look: Look, findings: Findings) -> None:
    """Add a warning if the border is filled with a value that is usually nodata."""
    if source.validity != "none" or not look.any_valid or look.constant:
        return
    border = np.concatenate(
        [look.sample[:, 0], look.sample[:, -1], look.sample[:, :, 0], look.sample[:, :, -1]], axis=1
    )
    for value in _USUAL_NODATA:
        share = float(np.mean(np.all(border == value, axis=0)))
        whole = float(np.mean(np.all(look.sample == value, axis=0)))
        # A band of which most is zero may well be classes; a frame is on the border above all.
        if share >= _BORDER_SHARE and share > whole:
            findings.add("warning", NODATA_SUSPECTED, f"{share:.0%} of the border is {value:g}, undeclared")
            return
    extreme = look.sample[look.valid & (np.abs(look.sample.astype(np.float64)) > 1e30)]
    if source.is_float and extreme.size:
        findings.add("warning", NODATA_SUSPECTED, f"values such as {float(extreme[0]):g} are no data")
