"""Tell from bands, colours and a decimated look what a raster shows."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from rasterio.enums import ColorInterp

from services.raster.models import BandOverview, DetectedType
from services.raster.native.blocks import Array
from services.raster.native.pixels import Look
from services.raster.native.source import Source
from services.raster.tiers import RasterType

_COLOURS: Final = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
_MANY: Final = 256
# Neighbours of a surface differ little against its range; those of noise by a third of it.
_SMOOTH: Final = 0.1


@dataclass(frozen=True)
class _Evidence:
    dtype: str
    count: int
    colours: tuple[ColorInterp, ...]
    has_palette: bool
    has_alpha: bool
    distinct: int | None
    roughness: float
    least: float


def band_overviews(look: Look) -> list[BandOverview]:
    """Return statistics of the sample and the exact range of each band."""
    overviews = []
    for band in range(look.sample.shape[0]):
        values = look.sample[band][look.valid[band]].astype(np.float64)
        if not values.size:
            overviews.append(BandOverview())
            continue
        overviews.append(
            BandOverview(
                minimum=float(look.minimum[band]),
                maximum=float(look.maximum[band]),
                mean=float(values.mean()),
                stddev=float(values.std()),
                valid_percent=round(100 * float(look.valid[band].mean()), 3),
                distinct=distinct_values(values),
            )
        )
    return overviews


def distinct_values(values: Array) -> int | None:
    """Count distinct values, None for 256 or more."""
    count = len(np.unique(values))
    return count if count < _MANY else None


def detect_type(source: Source, look: Look) -> DetectedType:
    """Return the first type whose rule fits, with the reasons."""
    evidence = _gather(source, look)
    if evidence.count - evidence.has_alpha == 1:
        return _single(evidence)
    return _several(evidence)


def _gather(source: Source, look: Look) -> _Evidence:
    colours = tuple(source.dataset.colorinterp)
    values = look.sample[0][look.valid[0]]
    return _Evidence(
        dtype=source.dtype,
        count=source.dataset.count,
        colours=colours,
        has_palette=ColorInterp.palette in colours,
        has_alpha=source.alpha_band is not None,
        distinct=distinct_values(values) if values.size else None,
        roughness=_roughness(look),
        least=float(look.minimum[0]),
    )


def _roughness(look: Look) -> float:
    """Return the mean difference of neighbours of the first band over its range, 0 to 1."""
    sample, valid = look.sample[0].astype(np.float64), look.valid[0]
    if not valid.any():
        return 1.0
    pairs = valid[:, 1:] & valid[:, :-1]
    spread = float(np.ptp(sample[valid]))
    if not pairs.any() or spread == 0:
        return 0.0
    differences = np.abs(sample[:, 1:][pairs] - sample[:, :-1][pairs])
    return float(differences.mean()) / spread


def _single(evidence: _Evidence) -> DetectedType:
    if evidence.has_palette:
        return _detected("categorical", "very_high", "one band with a palette")
    few = evidence.distinct is not None
    facts = (
        f"one band of {evidence.dtype}",
        f"{evidence.distinct} distinct values" if few else "256 distinct values or more",
        f"neighbours differ by {evidence.roughness:.1%} of the range",
    )
    # Class codes and heights are both whole numbers: codes are few, and jump at their borders.
    wide = evidence.dtype.startswith("float") or evidence.dtype in ("int16", "int32")
    if not wide:
        if few and (evidence.distinct or 0) <= 64:
            return _detected("categorical", "high", *facts)
        return _detected("unknown", "low", *facts)
    if few and evidence.dtype.startswith("int") and (evidence.distinct or 0) <= 64 and evidence.least >= 0:
        return _detected("categorical", "medium", *facts)
    return _detected("dem", "high" if evidence.roughness < _SMOOTH else "medium", *facts)


def _several(evidence: _Evidence) -> DetectedType:
    facts = f"{evidence.count} bands of {evidence.dtype}"
    picture = evidence.dtype in ("uint8", "uint16")
    coloured = evidence.colours[:3] == _COLOURS
    colours = evidence.count - evidence.has_alpha
    if picture and colours == 3:
        meaning = "interpreted as red, green and blue" if coloured else "no colour interpretation"
        alpha = ("an alpha band",) if evidence.has_alpha else ()
        kind: RasterType = "rgba" if evidence.has_alpha else "rgb"
        return _detected(kind, "very_high" if coloured else "high", facts, meaning, *alpha)
    if picture and colours == 4:
        return _detected("nir", "medium", facts, "the fourth is no alpha band")
    sensor = {7: "as many as Landsat", 12: "as many as Sentinel-2", 13: "as many as Sentinel-2"}
    return _detected("multispectral", "medium", facts, *filter(None, [sensor.get(colours)]))


def _detected(kind: RasterType, confidence: str, *evidence: str) -> DetectedType:
    return DetectedType.model_validate(
        {"raster_type": kind, "confidence": confidence, "evidence": list(evidence)}
    )
