"""How an item likes to be drawn, in the terms of the render extension."""

from collections.abc import Sequence
from typing import Final

from core.json import JsonObject
from services.stac.models import Band

_ELEVATION_COLOURS: Final = "terrain"


def default_renders(raster_type: str, bands: Sequence[Band], *, asset: str = "data") -> dict[str, JsonObject]:
    """Return one render, `default`, that a tile server can draw without asking the data.

    Args:
        raster_type: What the bands show, as validation found it: ``dem``, ``categorical``, ``rgb``, …
        bands: All bands of the asset, alpha included.
        asset: Key of the asset.
    """
    render: JsonObject = {"assets": [asset]}
    if bands[0].classes:
        render |= {"title": "Classes", "colormap": _colormap(bands[0]), "resampling": "nearest"}
    elif raster_type == "dem":
        render |= {"title": "Elevation", "bidx": [1], "colormap_name": _ELEVATION_COLOURS}
    else:
        render |= {"title": "Colours", "bidx": _picture(bands)}
    rescale = [_range(bands[index - 1]) for index in render.get("bidx", [])]
    if all(rescale) and any(bands[index - 1].data_type != "uint8" for index in render.get("bidx", [])):
        render["rescale"] = rescale
    return {"default": render}


def _picture(bands: Sequence[Band]) -> list[int]:
    by_name = {band.common_name: number for number, band in enumerate(bands, start=1)}
    if {"red", "green", "blue"} <= by_name.keys():
        return [by_name[name] for name in ("red", "green", "blue")]
    return [1, 2, 3] if len(bands) >= 3 else [1]


def _range(band: Band) -> list[float] | None:
    # Two standard deviations keep a few bright pixels from making the rest of the picture black.
    statistics = band.statistics
    if statistics is None or statistics.minimum is None or statistics.maximum is None:
        return None
    low, high = statistics.minimum, statistics.maximum
    if statistics.mean is not None and statistics.stddev:
        low = max(low, statistics.mean - 2 * statistics.stddev)
        high = min(high, statistics.mean + 2 * statistics.stddev)
    return [low, high] if low < high else None


def _colormap(band: Band) -> JsonObject:
    return {
        str(entry.value): [*entry.colour, 0 if entry.is_nodata else 255]
        for entry in band.classes
        if entry.colour
    }
