"""What each output tier and each raster type means, as data."""

from dataclasses import dataclass
from typing import Final, Literal

OutputTier = Literal["visualization", "analysis", "archive"]
RasterType = Literal["rgb", "rgba", "dem", "categorical", "multispectral", "nir", "unknown"]
RequestedType = Literal["auto", "rgb", "rgba", "dem", "categorical", "multispectral", "nir"]
Resampling = Literal["nearest", "bilinear", "cubic", "cubicspline", "lanczos", "average", "mode", "rms"]

BLOCK_SIZE: Final = 512
JPEG_QUALITY: Final = 85


@dataclass(frozen=True)
class TierProfile:
    """How a tier is stored.

    Args:
        compression: GDAL's name of the codec.
        lossless: Whether pixels read back are the pixels written.
        access_tier: Access tier of the blob.
        description: For people.
    """

    compression: Literal["JPEG", "DEFLATE", "LZW"]
    lossless: bool
    access_tier: Literal["Hot", "Cool"]
    description: str


TIERS: Final[dict[OutputTier, TierProfile]] = {
    "visualization": TierProfile("JPEG", False, "Hot", "Small and lossy, for maps on the web"),
    "analysis": TierProfile("DEFLATE", True, "Hot", "Lossless, for work with the values"),
    "archive": TierProfile("LZW", True, "Cool", "Lossless, for keeping"),
}


@dataclass(frozen=True)
class TypeProfile:
    """How pixels of a type are resampled.

    Args:
        warp: Method of the reprojection.
        overview: Method of the overviews.
    """

    warp: Resampling
    overview: Resampling


# A method that overshoots (cubic) is for pictures only: it would invent heights and reflectances.
TYPES: Final[dict[RasterType, TypeProfile]] = {
    "rgb": TypeProfile("cubic", "average"),
    "rgba": TypeProfile("cubic", "average"),
    "nir": TypeProfile("bilinear", "average"),
    "multispectral": TypeProfile("bilinear", "average"),
    "dem": TypeProfile("bilinear", "average"),
    "categorical": TypeProfile("nearest", "mode"),
    "unknown": TypeProfile("nearest", "nearest"),
}
CLASS_METHODS: Final[frozenset[Resampling]] = frozenset({"nearest", "mode"})


def tier_suits(tier: OutputTier, dtype: str, band_count: int, *, has_alpha: bool) -> bool:
    """Tell whether a tier can hold a raster without changing what it says.

    JPEG takes three colour bands of 8 bits; an alpha band beside them becomes the mask.
    """
    if tier != "visualization":
        return True
    return dtype == "uint8" and band_count - has_alpha == 3


def suitable_tiers(dtype: str, band_count: int, *, has_alpha: bool) -> list[OutputTier]:
    """List the tiers that suit a raster, in the order of `TIERS`."""
    return [tier for tier in TIERS if tier_suits(tier, dtype, band_count, has_alpha=has_alpha)]


def predictor(dtype: str) -> Literal["STANDARD", "FLOATING_POINT"]:
    """Return GDAL's PREDICTOR for a data type: differences of integers, or of bytes of floats."""
    return "FLOATING_POINT" if dtype.startswith("float") else "STANDARD"
