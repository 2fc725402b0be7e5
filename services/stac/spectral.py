"""What part of the spectrum a band shows, told by its name, its wavelength or the sensor.

Names such as ``B5`` mean the near infrared to one satellite and a red edge to another, so they
count only where the sensor is known: from the names themselves, or from hints such as the name of
the file. What stays ambiguous gets no name.

Source:
    Common names: STAC eo extension v2.0.0. Wavelengths: ESA, Sentinel-2 Products Specification
    Document; USGS, Landsat 8-9 OLI/TIRS band designations; Planet, PlanetScope product
    specification; Maxar, WorldView-2 data sheet.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.stac.models import Band


@dataclass(frozen=True)
class Sensor:
    """A sensor's bands.

    Args:
        hint: What a file's name or a tag has if it is of this sensor.
        bands: Common name and central wavelength in micrometres by the band's own name.
        telltales: Names that no other sensor has.
        ordered: Common names of a file without names, by the number of its bands.
    """

    hint: re.Pattern[str]
    bands: Mapping[str, tuple[str, float]]
    telltales: frozenset[str] = frozenset()
    ordered: Mapping[int, Sequence[str]] = field(default_factory=dict)


_SENTINEL_2: Final = Sensor(
    re.compile(r"sentinel[-_ ]?2|\bs2[abc][_-]|(?<![a-z0-9])s2[abc]_|msil[12][ac]|_t\d{2}[a-z]{3}_"),
    {
        "b01": ("coastal", 0.443),
        "b02": ("blue", 0.490),
        "b03": ("green", 0.560),
        "b04": ("red", 0.665),
        "b05": ("rededge071", 0.704),
        "b06": ("rededge075", 0.740),
        "b07": ("rededge078", 0.783),
        "b08": ("nir", 0.842),
        "b8a": ("nir08", 0.865),
        "b09": ("nir09", 0.945),
        "b10": ("cirrus", 1.375),
        "b11": ("swir16", 1.610),
        "b12": ("swir22", 2.190),
    },
    telltales=frozenset({"b01", "b02", "b03", "b04", "b05", "b06", "b07", "b08", "b8a", "b09", "b12"}),
)
_LANDSAT_8: Final = Sensor(
    re.compile(r"landsat[-_ ]?[89]|(?<![a-z0-9])l[cot]0[89]_|oli"),
    {
        "b1": ("coastal", 0.443),
        "b2": ("blue", 0.482),
        "b3": ("green", 0.561),
        "b4": ("red", 0.655),
        "b5": ("nir08", 0.865),
        "b6": ("swir16", 1.609),
        "b7": ("swir22", 2.201),
        "b8": ("pan", 0.590),
        "b9": ("cirrus", 1.373),
        "b10": ("lwir11", 10.895),
        "b11": ("lwir12", 12.005),
    },
    telltales=frozenset({f"srb{number}" for number in range(1, 8)} | {"stb10"}),
)
_PLANET: Final = Sensor(
    re.compile(r"planet|analyticms|psscene|superdove"),
    {
        "coastalblue": ("coastal", 0.443),
        "greeni": ("green05", 0.531),
        "greenii": ("green", 0.565),
        "rededge": ("rededge", 0.705),
    },
    telltales=frozenset({"coastalblue", "greeni", "greenii"}),
    ordered={
        4: ("blue", "green", "red", "nir"),
        8: ("coastal", "blue", "green05", "green", "yellow", "red", "rededge", "nir"),
    },
)
_WORLDVIEW: Final = Sensor(
    re.compile(r"worldview|(?<![a-z0-9])wv0?[234](?![0-9])"),
    {"nir1": ("nir08", 0.833), "nir2": ("nir09", 0.950), "n": ("nir08", 0.833), "n2": ("nir09", 0.950)},
    telltales=frozenset({"nir1", "nir2"}),
    ordered={8: ("coastal", "blue", "green", "yellow", "red", "rededge", "nir08", "nir09")},
)
_NAIP: Final = Sensor(
    re.compile(r"naip|(?<![a-z0-9])m_\d{7}_[ns][ew]_\d{2}_"), {}, ordered={4: ("red", "green", "blue", "nir")}
)
_SENSORS: Final = (_SENTINEL_2, _LANDSAT_8, _PLANET, _WORLDVIEW, _NAIP)

_WORDS: Final = {
    "red": "red",
    "green": "green",
    "blue": "blue",
    "coastal": "coastal",
    "coastalaerosol": "coastal",
    "yellow": "yellow",
    "rededge": "rededge",
    "nir": "nir",
    "nearinfrared": "nir",
    "infrared": "nir",
    "nir08": "nir08",
    "nir09": "nir09",
    "swir1": "swir16",
    "swir16": "swir16",
    "swir2": "swir22",
    "swir22": "swir22",
    "pan": "pan",
    "panchromatic": "pan",
    "cirrus": "cirrus",
}

# Ranges of central wavelengths in micrometres, of the eo extension.
_RANGES: Final = (
    ("coastal", 0.40, 0.45),
    ("blue", 0.45, 0.53),
    ("green", 0.53, 0.59),
    ("yellow", 0.59, 0.62),
    ("red", 0.62, 0.69),
    ("rededge", 0.69, 0.79),
    ("nir", 0.79, 0.90),
    ("nir09", 0.90, 1.0),
    ("cirrus", 1.36, 1.39),
    ("swir16", 1.55, 1.75),
    ("swir22", 2.08, 2.35),
)

_WAVELENGTH: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(nm|nanometers?|um|µm|micrometers?)", re.IGNORECASE)
_NUMBERED: Final = re.compile(r"b\d+")


def name_bands(bands: Sequence[Band], hints: Sequence[str] = ()) -> tuple[Band, ...]:
    """Return the bands with the common names and wavelengths that can be told; others stay.

    Args:
        bands: All bands of an asset, alpha included.
        hints: Texts that may name the sensor, e.g. the file's name.
    """
    sensor = _recognised(bands, " ".join(hints).lower())
    spectral = [band for band in bands if not _is_alpha(band)]
    named = {band.name: _named(band, sensor) for band in spectral}
    order = sensor.ordered.get(len(spectral), ()) if sensor else ()
    by_order = dict(zip(named, order, strict=False))
    # A file that says something else of one band has another order.
    if by_order and all(band.common_name in {None, by_order.get(name)} for name, band in named.items()):
        named = {
            name: band.model_copy(update={"common_name": by_order.get(name)}) for name, band in named.items()
        }
    return tuple(named.get(band.name, band) for band in bands)


def _named(band: Band, sensor: Sensor | None) -> Band:
    by_sensor = _of_sensor(band, sensor)
    wavelength = band.center_wavelength or (by_sensor[1] if by_sensor else _wavelength(band))
    name = (
        band.common_name
        or (by_sensor[0] if by_sensor else None)
        or _word(band)
        or (_range(wavelength) if wavelength else None)
    )
    return band.model_copy(update={"common_name": name, "center_wavelength": wavelength})


def _recognised(bands: Sequence[Band], hints: str) -> Sensor | None:
    names = {_plain(text) for band in bands for text in _texts(band)}
    for sensor in _SENSORS:
        if sensor.hint.search(hints) or sensor.telltales & names:
            return sensor
    return None


def _of_sensor(band: Band, sensor: Sensor | None) -> tuple[str, float] | None:
    if sensor is None:
        return None
    for text in map(_plain, _texts(band)):
        for key in (text, text.removeprefix("sr").removeprefix("st"), re.sub(r"^b(\d)$", r"b0\1", text)):
            if key in sensor.bands:
                return sensor.bands[key]
    return None


def _word(band: Band) -> str | None:
    return next((_WORDS[_plain(text)] for text in _texts(band) if _plain(text) in _WORDS), None)


def _wavelength(band: Band) -> float | None:
    found = _WAVELENGTH.search(band.description or "")
    if found is None:
        return None
    value = float(found[1])
    return value / 1000 if found[2].lower().startswith("n") else value


def _texts(band: Band) -> list[str]:
    # A number that was given for want of a name says nothing of a sensor's numbers.
    texts = [band.description or "", "" if _NUMBERED.fullmatch(band.name) else band.name]
    return [text for text in texts if text]


def _range(wavelength: float) -> str | None:
    return next((name for name, low, high in _RANGES if low <= wavelength < high), None)


def _is_alpha(band: Band) -> bool:
    return _plain(band.description or band.name) == "alpha"


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
