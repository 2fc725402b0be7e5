"""How an item likes to be drawn, in the terms of the render extension."""

import json
from collections import Counter
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
    rescale = [value_range(bands[index - 1]) for index in render.get("bidx", [])]
    if all(rescale) and any(bands[index - 1].data_type != "uint8" for index in render.get("bidx", [])):
        render["rescale"] = rescale
    return {"default": render}


def render_parameters(render: JsonObject, bands: Sequence[JsonObject]) -> list[tuple[str, str]]:
    """Return the query by which the raster API draws a render.

    It ignores `bidx`, so bands are chosen by name within the asset.

    Args:
        render: An entry of `renders`, of one asset.
        bands: `bands` of that asset.
    """
    parameters = [("assets", _asset(render, bands))]
    parameters += [("rescale", f"{low},{high}") for low, high in render.get("rescale", [])]
    if "colormap" in render:
        parameters.append(("colormap", json.dumps(render["colormap"], separators=(",", ":"))))
    plain = ("colormap_name", "resampling", "color_formula", "nodata")
    parameters += [(name, str(render[name])) for name in plain if name in render]
    if render.get("unscale"):
        parameters.append(("unscale", "true"))
    return parameters


def value_range(band: Band) -> list[float] | None:
    """Return the values between which a band is drawn, or None if its statistics do not say."""
    # Two standard deviations keep a few bright pixels from making the rest of the picture black.
    statistics = band.statistics
    if statistics is None or statistics.minimum is None or statistics.maximum is None:
        return None
    low, high = statistics.minimum, statistics.maximum
    if statistics.mean is not None and statistics.stddev:
        low = max(low, statistics.mean - 2 * statistics.stddev)
        high = min(high, statistics.mean + 2 * statistics.stddev)
    return [low, high] if low < high else None


def _asset(render: JsonObject, bands: Sequence[JsonObject]) -> str:
    asset: str = render["assets"][0]
    if "expression" in render:
        return f"{asset}|expression={render['expression']}"
    chosen = render.get("bidx")
    if not chosen:
        return asset
    # The name that the raster API knows a band by; one that two bands share says nothing.
    names = [band.get("eo:common_name") or band.get("name") or "" for band in bands]
    unique = {name for name, count in Counter(names).items() if count == 1 and name and "," not in name}
    picked = [names[number - 1] if number <= len(names) else "" for number in chosen]
    if unique.issuperset(picked):
        return f"{asset}|bands={','.join(picked)}"
    return f"{asset}|bidx={','.join(map(str, chosen))}"


def _picture(bands: Sequence[Band]) -> list[int]:
    by_name = {band.common_name: number for number, band in enumerate(bands, start=1)}
    if {"red", "green", "blue"} <= by_name.keys():
        return [by_name[name] for name in ("red", "green", "blue")]
    return [1, 2, 3] if len(bands) >= 3 else [1]


def _colormap(band: Band) -> JsonObject:
    return {
        str(entry.value): [*entry.colour, 0 if entry.is_nodata else 255]
        for entry in band.classes
        if entry.colour
    }
