"""Decide how a COG tells which of its pixels are valid, and in how many steps it is written.

The COG driver, left alone, adds an alpha band to what declares no validity, turns masks into
alpha bands, and forgets names and units whenever it does.
"""

import math
from dataclasses import dataclass

from rasterio.enums import ColorInterp

from core.errors import TaskFailed
from services.findings import Findings
from services.raster.codes import TIER_UNSUITABLE, VALIDITY_ADDED
from services.raster.models import Validity, WriteCog
from services.raster.native.grid import TargetGrid
from services.raster.native.source import Source
from services.raster.tiers import TIERS, tier_suits


@dataclass(frozen=True)
class Plan:
    """What is shown to the driver, and what it makes of it.

    Args:
        bands: Bands of the source that are kept, 1-based.
        nodata: Value that the COG declares.
        mask: Where the mask comes from (`vrt.View.mask`).
        validity: How the COG tells.
        add_alpha: Whether the warp makes an alpha band, kept or turned into the mask.
        two_steps: Whether the warp goes to a scratch file first, to be seen anew from there.
    """

    bands: tuple[int, ...]
    nodata: float | None
    mask: tuple[str, ...]
    validity: Validity
    add_alpha: bool
    two_steps: bool

    @property
    def alpha_added(self) -> bool:
        """Whether the COG has one band more than the source, which is alpha."""
        return self.add_alpha and self.validity == "alpha"


def plan_validity(source: Source, grid: TargetGrid, request: WriteCog, findings: Findings) -> Plan:
    """Choose, keeping what the source declares.

    Raises:
        TaskFailed: ``raster.tier_unsuitable``.
    """
    has_alpha = source.alpha_band is not None
    if not tier_suits(request.tier, source.dtype, source.dataset.count, has_alpha=has_alpha):
        raise TaskFailed(
            TIER_UNSUITABLE,
            f"{source.dataset.count} bands of {source.dtype} do not fit into the tier {request.tier}",
            tier=request.tier,
        )
    if not TIERS[request.tier].lossless:
        return _lossy(source, grid)
    if source.validity != "none":
        return _declared(source, grid)
    return _undeclared(source, grid, request, findings)


def _lossy(source: Source, grid: TargetGrid) -> Plan:
    """Use a mask whatever the source has: JPEG changes values, nodata and alpha among them."""
    bands = tuple(index for index in source.dataset.indexes if index != source.alpha_band)
    mask: tuple[str, ...] = ()
    if source.validity == "alpha":
        mask = (str(source.alpha_band),)
    elif source.validity == "mask":
        mask = ("mask,1",)
    elif source.validity != "none":
        mask = tuple(f"mask,{band}" for band in bands)
    masked = bool(mask) or grid.reproject
    return Plan(
        bands=bands,
        nodata=None,
        mask=mask,
        validity="mask" if masked else "none",
        add_alpha=grid.reproject,
        two_steps=grid.reproject and has_names(source),
    )


def _declared(source: Source, grid: TargetGrid) -> Plan:
    bands = tuple(source.dataset.indexes)
    if source.validity == "mask":
        # The warp can only make an alpha band of a mask; the second step makes it a mask again.
        return Plan(bands, None, ("mask,1",), "mask", grid.reproject, grid.reproject)
    if source.validity == "alpha":
        return Plan(bands, None, (), "alpha", False, grid.reproject and has_names(source))
    return Plan(bands, source.nodata, (), source.validity, False, False)


def _undeclared(source: Source, grid: TargetGrid, request: WriteCog, findings: Findings) -> Plan:
    bands = tuple(source.dataset.indexes)
    if source.is_float:
        return Plan(bands, math.nan, (), "nan", False, False)
    if not grid.reproject:
        return Plan(bands, None, (), "none", False, False)
    if request.unused_value is not None:
        findings.add("info", VALIDITY_ADDED, f"nodata is {request.unused_value}, which no pixel has")
        return Plan(bands, float(request.unused_value), (), "nodata", False, False)
    findings.add("warning", VALIDITY_ADDED, "every value is in use: an alpha band was added as the last")
    return Plan(bands, None, (), "alpha", True, has_names(source))


def has_names(source: Source) -> bool:
    """Tell whether bands have anything that an added alpha band would make the driver forget."""
    dataset = source.dataset
    return (
        any(dataset.descriptions)
        or any(dataset.units)
        or any(scale != 1 for scale in dataset.scales)
        or any(offset != 0 for offset in dataset.offsets)
        or ColorInterp.palette in dataset.colorinterp
    )
