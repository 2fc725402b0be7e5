"""Turn pixels into colours: stretches, shaded relief, palettes.

Every function takes a masked array and returns red, green and blue as uint8, shape (3, rows,
columns); what is masked may have any colour.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Colours = npt.NDArray[np.uint8]

_PERCENTILES: Final = (2, 98)
# Heights from low to high: green lowland, yellow and brown slopes, white summits.
_RELIEF: Final = (
    (0.0, (84, 133, 92)),
    (0.2, (155, 180, 112)),
    (0.4, (224, 212, 150)),
    (0.6, (193, 154, 107)),
    (0.8, (150, 120, 104)),
    (1.0, (245, 245, 245)),
)
# Neighbouring classes must differ: hues far apart, in no order.
_CLASSES: Final = (
    (31, 119, 180),
    (255, 187, 120),
    (44, 160, 44),
    (214, 39, 40),
    (148, 103, 189),
    (140, 86, 75),
    (227, 119, 194),
    (199, 199, 199),
    (188, 189, 34),
    (23, 190, 207),
    (152, 223, 138),
    (255, 127, 14),
)
_SUN_AZIMUTH: Final = np.radians(315)
_SUN_ALTITUDE: Final = np.radians(45)
# A slope that is usual in the scene gets this tangent, so that plains show their relief too.
_USUAL_TANGENT: Final = 0.6


def stretch(bands: Any) -> Colours:
    """Stretch three bands, or one for all colours, each between its 2nd and 98th percentile."""
    stretched = np.stack([_stretch_band(band) for band in bands])
    return np.repeat(stretched, 3, axis=0) if len(stretched) == 1 else stretched


def _stretch_band(band: Any) -> npt.NDArray[np.uint8]:
    return np.asarray(255 * _relative(band) + 0.5, np.uint8)


def _relative(band: Any) -> npt.NDArray[np.float64]:
    """Return values between 0 at the 2nd percentile and 1 at the 98th."""
    values = np.asarray(band.data, np.float64)
    valid = ~np.ma.getmaskarray(band)
    if not valid.any():
        return np.zeros(values.shape)
    low, high = np.percentile(values[valid], _PERCENTILES)
    if low == high:
        low, high = values[valid].min(), max(values[valid].max(), values[valid].min() + 1)
    return np.asarray(np.clip((np.where(valid, values, low) - low) / (high - low), 0, 1))


def relief(heights: Any, pixel_size: tuple[float, float]) -> Colours:
    """Colour heights and shade them with light from the north-west.

    Args:
        heights: Masked array, rows from the north.
        pixel_size: Width and height of a pixel in metres.
    """
    relative = _relative(heights)
    places, colours = zip(*_RELIEF, strict=True)
    table = np.array(colours, float).T
    coloured = np.stack([np.interp(relative, places, channel) for channel in table])
    return np.asarray(np.clip(coloured * _shade(heights, pixel_size), 0, 255), np.uint8)


def _shade(heights: Any, pixel_size: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Return brightness from 0.45 to 1.15.

    Source:
        Burrough and McDonnell (1998), Principles of Geographical Information Systems, shaded relief.
    """
    valid = ~np.ma.getmaskarray(heights)
    # Holes at the mean height throw no shadows of the size of a nodata value.
    filled = np.where(valid, np.asarray(heights.data, np.float64), np.ma.mean(heights))
    down, right = np.gradient(filled, pixel_size[1], pixel_size[0])
    slopes = np.hypot(down, right)[valid]
    usual = float(np.percentile(slopes, 90)) if slopes.size else 0.0
    exaggeration = _USUAL_TANGENT / usual if usual > 0 else 1.0
    slope = np.arctan(np.hypot(down, right) * exaggeration)
    aspect = np.arctan2(down, -right)
    light = np.sin(_SUN_ALTITUDE) * np.cos(slope) + np.cos(_SUN_ALTITUDE) * np.sin(slope) * np.cos(
        np.pi / 2 - _SUN_AZIMUTH - aspect
    )
    return np.asarray(0.45 + 0.7 * np.clip(light, 0, 1))


def classes(band: Any, palette: Mapping[int, tuple[int, int, int, int]]) -> Colours:
    """Colour classes by a palette, or each value by a colour of its own if there is none."""
    values = np.asarray(band.data)
    distinct, places = np.unique(values, return_inverse=True)
    table = np.array(
        [_colour(value, place, palette) for place, value in enumerate(distinct.tolist())], np.uint8
    )
    return np.ascontiguousarray(np.moveaxis(table[places.reshape(values.shape)], -1, 0))


def _colour(value: float, place: int, palette: Mapping[int, tuple[int, int, int, int]]) -> tuple[int, ...]:
    if palette:
        return palette.get(int(value), (0, 0, 0, 0))[:3]
    # By value, so that tiles of one map agree; by place where values are no whole numbers.
    key = int(value) if float(value).is_integer() else place
    return _CLASSES[key % len(_CLASSES)]
