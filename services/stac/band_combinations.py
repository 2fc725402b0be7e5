"""Composites and indices that a multispectral raster can be looked at by, as renders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from core.json import JsonObject
from services.stac.models import Band
from services.stac.renders import value_range


@dataclass(frozen=True)
class Composite:
    """Three bands as red, green and blue.

    Args:
        shows: Roles of the bands, in that order.
    """

    title: str
    shows: tuple[str, str, str]


@dataclass(frozen=True)
class NormalisedDifference:
    """``(first - second) / (first + second)``, from -1 to 1."""

    title: str
    first: str
    second: str
    colours: str


_COMPOSITES: Final[Mapping[str, Composite]] = {
    "natural_colour": Composite("Natural colour", ("red", "green", "blue")),
    "colour_infrared": Composite("Colour infrared", ("nir", "red", "green")),
    "swir": Composite("Short-wave infrared", ("swir22", "nir", "red")),
    "agriculture": Composite("Agriculture", ("swir16", "nir", "blue")),
    "geology": Composite("Geology", ("swir22", "swir16", "blue")),
}
_INDICES: Final[Mapping[str, NormalisedDifference]] = {
    "ndvi": NormalisedDifference("NDVI: vegetation", "nir", "red", "rdylgn"),
    "ndwi": NormalisedDifference("NDWI: water", "green", "nir", "rdbu"),
    "ndmi": NormalisedDifference("NDMI: moisture", "nir", "swir16", "rdylbu"),
    "nbr": NormalisedDifference("NBR: burnt areas", "nir", "swir22", "rdylgn"),
}

# Which common names do for a role, the best first.
_ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "red": ("red",),
    "green": ("green",),
    "blue": ("blue",),
    "nir": ("nir", "nir08"),
    "swir16": ("swir16",),
    "swir22": ("swir22",),
}
_BEYOND_COLOUR: Final = ("nir", "swir16", "swir22")


@dataclass(frozen=True)
class Combinations:
    """What can be shown.

    Args:
        renders: Of the render extension, by name.
        missing: Why there are none, or None if there are some.
    """

    renders: dict[str, JsonObject]
    missing: str | None


def band_combinations(bands: Sequence[Band], *, asset: str = "data") -> Combinations:
    """Return the combinations of an asset's bands, which have got their common names.

    Args:
        bands: All bands of the asset.
        asset: Its key.
    """
    found = _find_roles(bands)
    if not any(role in found for role in _BEYOND_COLOUR):
        return Combinations({}, _reason(bands))
    renders: dict[str, JsonObject] = {}
    for name, composite in _COMPOSITES.items():
        if all(role in found for role in composite.shows):
            renders[name] = _composite(composite, [found[role] for role in composite.shows], bands, asset)
    for name, index in _INDICES.items():
        if index.first in found and index.second in found:
            renders[name] = _index(index, found[index.first], found[index.second], bands, asset)
    return Combinations(renders, None if renders else _reason(bands))


def _find_roles(bands: Sequence[Band]) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for number, band in enumerate(bands, start=1):
        if band.common_name:
            numbers.setdefault(band.common_name, number)
    return {
        role: next(numbers[name] for name in names if name in numbers)
        for role, names in _ROLES.items()
        if any(name in numbers for name in names)
    }


def _composite(composite: Composite, numbers: list[int], bands: Sequence[Band], asset: str) -> JsonObject:
    render: JsonObject = {"title": composite.title, "assets": [asset], "bidx": numbers}
    shown = [bands[number - 1] for number in numbers]
    ranges = [value_range(band) for band in shown]
    if all(ranges) and any(band.data_type != "uint8" for band in shown):
        render["rescale"] = ranges
    return render


def _index(
    index: NormalisedDifference, first: int, second: int, bands: Sequence[Band], asset: str
) -> JsonObject:
    render: JsonObject = {
        "title": index.title,
        "assets": [asset],
        "expression": f"(b{first}-b{second})/(b{first}+b{second})",
        "rescale": [[-1.0, 1.0]],
        "colormap_name": index.colours,
    }
    # An offset does not cancel out of the quotient.
    if any(bands[number - 1].scale or bands[number - 1].offset for number in (first, second)):
        render["unscale"] = True
    return render


def _reason(bands: Sequence[Band]) -> str:
    if len(bands) < 2:
        return "It has one band."
    known = sorted({band.common_name for band in bands if band.common_name})
    names = ", ".join(known) if known else "none of its bands"
    return (
        f"A combination takes an infrared band and another; of its {len(bands)} bands,"
        f" {names} could be recognised by name, wavelength or sensor."
    )
