"""What the tags of a raster tell of the sensor that took it, in the terms of STAC.

Tags are those of GDAL's default domain, and those of other domains with the domain's name before
a colon, e.g. ``IMD:IMAGE_1.satId``. Whatever cannot be read as what it should be is left out.

Source:
    Maxar, Imagery Support Data documentation (IMD files); USGS, Landsat 8-9 Level 1 Data Format
    Control Book (MTL files); ESA, Sentinel-2 Products Specification Document; GDAL's IMAGERY
    domain (RFC 43); Exif 2.32. STAC: common metadata 1.1, eo v2.0.0, view v1.0.0, sat v1.1.0.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from core.json import JsonObject

Tags = Mapping[str, str]

_MAXAR: Final = {
    "QB02": ("quickbird-2", "quickbird"),
    "GE01": ("geoeye-1", "geoeye"),
    "WV01": ("worldview-1", "worldview"),
    "WV02": ("worldview-2", "worldview"),
    "WV03": ("worldview-3", "worldview"),
    "WV04": ("worldview-4", "worldview"),
}
_LANDSAT: Final = re.compile(r"LANDSAT[_ -]?(\d)")
_SENTINEL: Final = re.compile(r"SENTINEL[_ -]?(\d)([A-D]?)")


class _Rule(NamedTuple):
    """A property, the tags that may hold it in order of preference, and how one is read."""

    name: str
    tags: tuple[str, ...]
    read: Callable[[str], Any]


def describe_sensor(tags: Tags) -> JsonObject:
    """Return the properties of an item that the tags of its source tell.

    They are of `platform`, `constellation`, `instruments`, `gsd` (metres), `eo:cloud_cover`
    (percent), `view:*` and `sat:*` (degrees; azimuths clockwise from north).
    """
    properties: JsonObject = {**_platform(tags), **_instruments(tags)}
    for rule in _RULES:
        found = (_read(rule.read, tags[tag]) for tag in rule.tags if tag in tags)
        value = next((value for value in found if value is not None), None)
        if value is not None:
            properties[rule.name] = value
    return properties


def sensor_names(properties: JsonObject) -> tuple[str, ...]:
    """Return what `describe_sensor` found that names the sensor: hints to what its bands show."""
    named = [properties.get(name) for name in ("platform", "constellation")]
    return tuple(name for name in (*named, *properties.get("instruments", ())) if name)


def _platform(tags: Tags) -> JsonObject:
    named = next((_clean(tags[tag]) for tag in _PLATFORM_TAGS if _clean(tags.get(tag, ""))), None)
    if named is None:
        return {}
    if named.upper() in _MAXAR:
        platform, constellation = _MAXAR[named.upper()]
        return {"platform": platform, "constellation": constellation}
    if match := _LANDSAT.search(named.upper()):
        return {"platform": f"landsat-{match[1]}", "constellation": "landsat"}
    if match := _SENTINEL.search(named.upper()):
        return {"platform": f"sentinel-{match[1]}{match[2].lower()}", "constellation": f"sentinel-{match[1]}"}
    return {"platform": named.lower()}


def _instruments(tags: Tags) -> JsonObject:
    named = next((_clean(tags[tag]) for tag in _INSTRUMENT_TAGS if _clean(tags.get(tag, ""))), None)
    if named is None:
        return {}
    # Landsat names two in one word, e.g. OLI_TIRS.
    return {"instruments": [name for name in re.split(r"[_,;/ ]+", named.lower()) if name]}


def _clean(text: str) -> str:
    return text.strip().strip("\x00\"';").strip()


def _read(read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(_clean(text))
    except ValueError:
        return None


def _number(low: float, high: float, text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) and low <= value <= high else None


def _percent(text: str) -> float | None:
    return _number(0, 100, text)


def _share(text: str) -> float | None:
    value = _number(0, 1, text)
    return None if value is None else round(value * 100, 4)


def _angle(text: str) -> float | None:
    return _number(0, 90, text)


def _elevation(text: str) -> float | None:
    return _number(-90, 90, text)


def _azimuth(text: str) -> float | None:
    value = _number(-360, 360, text)
    return None if value is None else value % 360


def _from_zenith(text: str) -> float | None:
    value = _number(0, 180, text)
    return None if value is None else 90 - value


def _metres(text: str) -> float | None:
    value = _number(0, 100_000, text)
    return value or None


def _orbit(text: str) -> int | None:
    return int(text) if int(text) > 0 else None


def _orbit_state(text: str) -> str | None:
    return text.lower() if text.lower() in ("ascending", "descending", "geostationary") else None


_PLATFORM_TAGS: Final = (
    "IMD:IMAGE_1.satId",
    "IMAGERY:SATELLITEID",
    "SPACECRAFT_ID",
    "DATATAKE_1_SPACECRAFT_NAME",
    "SATELLITEID",
    "PLATFORMSHORTNAME",
    "ASSOCIATEDPLATFORMSHORTNAME.1",
)
_INSTRUMENT_TAGS: Final = (
    "SENSOR_ID",
    "DATATAKE_1_INSTRUMENT",
    "INSTRUMENTSHORTNAME",
    "ASSOCIATEDINSTRUMENTSHORTNAME.1",
    "EXIF_Model",
)
_RULES: Final = (
    _Rule("gsd", ("IMD:IMAGE_1.meanProductGSD", "IMD:IMAGE_1.meanCollectedGSD"), _metres),
    _Rule("eo:cloud_cover", ("IMD:IMAGE_1.cloudCover",), _share),
    _Rule(
        "eo:cloud_cover",
        ("CLOUD_COVERAGE_ASSESSMENT", "CLOUD_COVER", "IMAGERY:CLOUDCOVER", "CLOUDCOVER"),
        _percent,
    ),
    _Rule("view:sun_elevation", ("IMD:IMAGE_1.meanSunEl", "SUN_ELEVATION"), _elevation),
    _Rule("view:sun_elevation", ("MEAN_SUN_ZENITH_ANGLE",), _from_zenith),
    _Rule("view:sun_azimuth", ("IMD:IMAGE_1.meanSunAz", "SUN_AZIMUTH", "MEAN_SUN_AZIMUTH_ANGLE"), _azimuth),
    _Rule("view:off_nadir", ("IMD:IMAGE_1.meanOffNadirViewAngle", "ROLL_ANGLE"), _angle),
    _Rule("view:azimuth", ("IMD:IMAGE_1.meanSatAz",), _azimuth),
    _Rule("sat:orbit_state", ("DATATAKE_1_SENSING_ORBIT_DIRECTION",), _orbit_state),
    _Rule("sat:relative_orbit", ("DATATAKE_1_SENSING_ORBIT_NUMBER",), _orbit),
    _Rule("sat:absolute_orbit", ("IMD:IMAGE_1.revNumber",), _orbit),
)
