"""What a source says is what its COG says: in every tier, warped and not."""

from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rio_cogeo.cogeo import cog_validate

from tests.raster.factory import GEOGRAPHIC, RGB, RGBA, UTM_ORIGIN, Desk, codes, dem, landcover, rgb

PALETTE = {value: (value * 7, 255 - value * 7, value, 255) for value in (1, 2, 4, 8, 16, 32)}
TYPES: dict[str, dict[str, Any]] = {
    "rgb": {"pixels": rgb(), "colours": RGB},
    "rgba": {"pixels": np.concatenate([rgb(), np.full((1, 700, 700), 255, np.uint8)]), "colours": RGBA},
    "dem": {"pixels": dem()},
    "categorical": {"pixels": landcover(), "palette": PALETTE},
    "multispectral": {"pixels": np.concatenate([rgb(dtype="uint16", high=9000)] * 2)},
    "nir": {"pixels": np.concatenate([rgb(), rgb()[:1]]), "profile": {"photometric": "MINISBLACK"}},
}
PLACES: dict[str, dict[str, Any]] = {
    "warped": {"crs": "EPSG:32633", "transform": UTM_ORIGIN},
    "copied": {"crs": "EPSG:4326", "transform": GEOGRAPHIC},
}
COMBINATIONS = [
    (tier, kind)
    for tier in ("visualization", "analysis", "archive")
    for kind in TYPES
    if tier != "visualization" or kind in ("rgb", "rgba")
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("tier", "kind"), COMBINATIONS)
def test_every_tier_and_type_gives_a_valid_cog(desk: Desk, tier: str, kind: str, place: str) -> None:
    desk.make(**TYPES[kind], **PLACES[place])

    written = desk.cog(tier=tier, asked_type=kind)

    path = desk.workspace / "cog.tif"
    valid, errors, warnings = cog_validate(path, strict=True, quiet=True)
    assert (valid, errors, warnings) == (True, [], [])
    with rasterio.open(path) as cog:
        structure = cog.tags(ns="IMAGE_STRUCTURE")
        assert cog.crs.to_epsg() == 4326
        assert set(cog.block_shapes) == {(512, 512)}
        assert cog.overviews(1) == [2]
    compression = {"visualization": "YCbCr JPEG", "analysis": "DEFLATE", "archive": "LZW"}[tier]
    predictor = {"visualization": None}.get(tier, "3" if kind == "dem" else "2")
    assert structure["COMPRESSION"] == compression
    assert structure.get("PREDICTOR") == predictor
    assert written.reprojected == (place == "warped")


@pytest.mark.parametrize("kind", TYPES)
def test_nothing_is_resampled_when_the_crs_is_the_targets(desk: Desk, kind: str) -> None:
    desk.make(**TYPES[kind], **PLACES["copied"])

    desk.cog(asked_type=kind)

    with rasterio.open(desk.workspace / "a.tif") as source, rasterio.open(desk.workspace / "cog.tif") as cog:
        assert cog.transform == source.transform
        assert (cog.read() == source.read()).all()


NAMED: dict[str, dict[str, Any]] = {
    "nodata": {"pixels": dem(dtype="int16"), "nodata": 1},
    "nan": {"pixels": np.where(dem() < 5, np.nan, dem()).astype("float32"), "nodata": float("nan")},
    "alpha": {
        "pixels": np.concatenate([rgb(), np.full((1, 700, 700), 255, np.uint8)]),
        "colours": RGBA,
    },
    "mask": {
        "pixels": rgb(),
        "colours": RGB,
        "mask": np.where(np.arange(700) < 300, 0, 255).astype(np.uint8) * np.ones((700, 1), np.uint8),
    },
    "none, a value unused": {"pixels": rgb(low=10, high=200), "colours": RGB},
    "none, every value used": {"pixels": rgb(), "colours": RGB},
    "none, floating point": {"pixels": dem()},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("validity", NAMED)
def test_names_units_scales_and_colours_are_kept_whatever_the_validity(
    desk: Desk, validity: str, place: str
) -> None:
    made = NAMED[validity]
    if validity == "none, every value used":
        made = made | {"pixels": np.random.default_rng(1).integers(0, 256, (3, 700, 700), np.uint8)}
    count = made["pixels"].shape[0]
    names = tuple(f"band {index}" for index in range(count))
    units, scales, offsets = ("m",) * count, (0.5,) * count, (-3.0,) * count
    desk.make(
        **made, **PLACES[place], descriptions=names, units=units, scales=scales, offsets=offsets,
        tags={"TIFFTAG_DATETIME": "2020:05:06 07:08:09", "SENSOR": "X"},
    )  # fmt: skip

    desk.cog()

    with rasterio.open(desk.workspace / "a.tif") as source, rasterio.open(desk.workspace / "cog.tif") as cog:
        assert cog.descriptions[:count] == names
        assert cog.units[:count] == units
        assert cog.scales[:count] == scales
        assert cog.offsets[:count] == offsets
        assert cog.colorinterp[:count] == source.colorinterp
        assert cog.dtypes[:count] == source.dtypes
        assert cog.tags()["SENSOR"] == "X"
        assert cog.tags()["TIFFTAG_DATETIME"] == "2020:05:06 07:08:09"


def test_a_nodata_value_stays_and_its_pixels_stay_nodata(desk: Desk) -> None:
    pixels = dem(dtype="int16")
    pixels[:, :350] = -9999
    desk.make(pixels=pixels, nodata=-9999)

    written = desk.cog()

    with rasterio.open(desk.workspace / "cog.tif") as cog:
        heights = cog.read(1, masked=True)
    assert (written.nodata, written.validity, written.band_count) == (-9999, "nodata", 1)
    assert heights.min() >= 1
    assert 0.4 < np.ma.getmaskarray(heights).mean() < 0.6


def test_a_dem_gets_no_heights_below_its_lowest(desk: Desk) -> None:
    desk.make(pixels=dem(low=1.0, high=900.0))

    written = desk.cog()

    with rasterio.open(desk.workspace / "cog.tif") as cog:
        levels = [cog.read(1, masked=True)]
        levels += [cog.read(1, out_shape=(cog.height // factor, cog.width // factor), masked=True)
                   for factor in cog.overviews(1)]  # fmt: skip
    assert min(float(np.ma.masked_invalid(level).min()) for level in levels) >= 1.0
    assert written.nodata == "nan"


def test_classes_stay_the_classes_they_were(desk: Desk) -> None:
    desk.make(pixels=landcover(), palette=PALETTE)

    written = desk.cog()

    with rasterio.open(desk.workspace / "cog.tif") as cog:
        full = set(np.unique(cog.read(1)).tolist())
        small = set(np.unique(cog.read(1, out_shape=(350, 350))).tolist())
        colours = cog.colormap(1)
        assert cog.colorinterp == (ColorInterp.palette,)
    assert full == {1, 2, 4, 8, 16, 32, 0}
    assert written.nodata == 0
    assert small <= full
    assert {value: colours[value] for value in PALETTE} == PALETTE


def test_a_mask_stays_a_mask_through_a_warp(desk: Desk) -> None:
    desk.make(**NAMED["mask"])

    written = desk.cog()

    with rasterio.open(desk.workspace / "cog.tif") as cog:
        assert cog.count == 3
        assert cog.mask_flag_enums[0] == [MaskFlags.per_dataset]
        share = (cog.dataset_mask() == 0).mean()
    assert written.validity == "mask"
    assert 0.4 < share < 0.5


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("validity", ["nodata", "alpha", "mask"])
def test_jpeg_turns_every_validity_into_a_mask(desk: Desk, validity: str, place: str) -> None:
    pixels, left = rgb(low=5), np.s_[:, :, :300]
    made: dict[str, Any] = {"pixels": pixels, "colours": RGB}
    if validity == "nodata":
        pixels[left] = 0
        made["nodata"] = 0
    elif validity == "alpha":
        alpha = np.full((1, 700, 700), 255, np.uint8)
        alpha[left] = 0
        made = {"pixels": np.concatenate([pixels, alpha]), "colours": RGBA}
    else:
        made = NAMED["mask"]
    desk.make(**made, **PLACES[place])

    written = desk.cog(tier="visualization")

    with rasterio.open(desk.workspace / "cog.tif") as cog:
        assert (cog.count, cog.nodata) == (3, None)
        assert cog.mask_flag_enums[0] == [MaskFlags.per_dataset]
        share = (cog.dataset_mask() == 0).mean()
    assert written.validity == "mask"
    assert 0.4 < share < 0.5


def test_the_corners_of_a_warped_picture_become_a_value_that_no_pixel_has(desk: Desk) -> None:
    desk.make(pixels=rgb(low=10, high=200), colours=RGB)

    written = desk.cog()

    assert (written.nodata, written.band_count, written.alpha_added) == (0, 3, False)


def test_where_every_value_is_used_an_alpha_band_is_added_and_named(desk: Desk) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (3, 700, 700), np.uint8)
    desk.make(pixels=pixels, colours=RGB, descriptions=("r", "g", "b"))

    written = desk.cog()

    with rasterio.open(desk.workspace / "cog.tif") as cog:
        assert cog.colorinterp == RGBA
        assert cog.descriptions[:3] == ("r", "g", "b")
    assert (written.band_count, written.alpha_added, written.validity) == (4, True, "alpha")
    assert "raster.validity_added" in codes(written.findings)


def test_scratch_files_do_not_stay(desk: Desk) -> None:
    desk.make(**NAMED["mask"])

    desk.cog()

    assert sorted(path.name for path in desk.workspace.iterdir()) == ["a.tif", "cog.tif"]


def test_progress_only_grows(desk: Desk) -> None:
    desk.make(pixels=rgb(2000), colours=RGB)

    desk.cog()

    fractions = [fraction for fraction, _ in desk.reports]
    start = fractions.index(0.0, 1)
    assert fractions[start:] == sorted(fractions[start:])
    assert fractions[-1] == 1.0
