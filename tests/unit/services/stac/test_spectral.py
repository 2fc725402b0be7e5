"""What part of the spectrum a band shows."""

import pytest

from services.sensor_metadata import describe_sensor, sensor_names
from services.stac.band_combinations import band_combinations
from services.stac.models import Band
from services.stac.spectral import name_bands
from tests.factories.raster_items import band


def described(*descriptions: str | None, data_type: str = "uint16") -> list[Band]:
    return [
        band(description or f"b{number}", description=description, data_type=data_type)
        for number, description in enumerate(descriptions, start=1)
    ]


def names(bands: tuple[Band, ...]) -> list[str | None]:
    return [found.common_name for found in bands]


def test_sentinel_2_is_told_by_its_band_names() -> None:
    found = name_bands(described("B02", "B03", "B04", "B08", "B8A", "B11", "B12"))

    assert names(found) == ["blue", "green", "red", "nir", "nir08", "swir16", "swir22"]
    assert found[3].center_wavelength == 0.842


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        ("S2A_MSIL2A_20240501T100031_T33UVP.tif", ["blue", "green", "red", "rededge071"]),
        ("LC08_L2SP_193024_20240501_02_T1.tif", ["blue", "green", "red", "nir08"]),
        ("LC09_L2SP_193024_20240501_02_T1.tif", ["blue", "green", "red", "nir08"]),
        ("mosaic.tif", [None, None, None, None]),
    ],
)
def test_names_that_sensors_share_count_where_the_sensor_is_known(
    hint: str, expected: list[str | None]
) -> None:
    assert names(name_bands(described("B2", "B3", "B4", "B5"), [hint])) == expected


def test_landsat_surface_reflectance_is_told_by_its_band_names() -> None:
    found = name_bands(described("SR_B4", "SR_B5", "SR_B6", "SR_B7"))

    assert names(found) == ["red", "nir08", "swir16", "swir22"]


@pytest.mark.parametrize(
    ("hint", "count", "expected"),
    [
        ("m_3008601_ne_16_060_20191120.tif", 4, ["red", "green", "blue", "nir"]),
        ("20240501_PSScene_AnalyticMS.tif", 4, ["blue", "green", "red", "nir"]),
        (
            "WV02_scene.tif",
            8,
            ["coastal", "blue", "green", "yellow", "red", "rededge", "nir08", "nir09"],
        ),
    ],
)
def test_files_without_names_have_their_sensors_order(hint: str, count: int, expected: list[str]) -> None:
    assert names(name_bands(described(*[None] * count), [hint])) == expected


def test_an_order_that_the_file_contradicts_does_not_count() -> None:
    bands = described(None, None, None, None)
    bands[0] = bands[0].model_copy(update={"common_name": "blue"})

    assert names(name_bands(bands, ["naip.tif"])) == ["blue", None, None, None]


def test_wavelengths_tell_where_names_do_not() -> None:
    found = name_bands(described("channel A (665 nm)", "channel B: 0.842 µm", "channel C 1610nm"))

    assert names(found) == ["red", "nir", "swir16"]
    assert [round(found_band.center_wavelength or 0, 3) for found_band in found] == [0.665, 0.842, 1.61]


def test_words_tell_their_bands() -> None:
    found = name_bands(described("Near Infrared", "SWIR 1", "Red Edge", "temperature"))

    assert names(found) == ["nir", "swir16", "rededge", None]


def test_numbers_that_stand_for_missing_names_are_no_names() -> None:
    assert names(name_bands(described(*[None] * 13), ["scene.tif"])) == [None] * 13


@pytest.mark.parametrize(
    ("tags", "descriptions", "expected"),
    [
        ({"SPACECRAFT_ID": "LANDSAT_8"}, ("B3", "B4", "B5"), ["green", "red", "nir08"]),
        ({"SENSOR_ID": "OLI_TIRS"}, ("B3", "B4", "B5"), ["green", "red", "nir08"]),
        ({"DATATAKE_1_SPACECRAFT_NAME": "Sentinel-2B"}, ("B3", "B4", "B8"), ["green", "red", "nir"]),
        (
            {"IMD:IMAGE_1.satId": "WV03"},
            (None,) * 8,
            ["coastal", "blue", "green", "yellow", "red", "rededge", "nir08", "nir09"],
        ),
        ({"IMAGERY:SATELLITEID": "WV02"}, (None,) * 8, ["coastal", "blue", "green"]),
    ],
)
def test_a_sensor_that_only_the_tags_name_gives_its_combinations(
    tags: dict[str, str], descriptions: tuple[str | None, ...], expected: list[str]
) -> None:
    hints = ("scene.tif", *sensor_names(describe_sensor(tags)))

    found = name_bands(described(*descriptions), hints)

    assert names(found)[: len(expected)] == expected
    assert {"colour_infrared", "ndvi", "ndwi"} <= band_combinations(found).renders.keys()
    assert band_combinations(name_bands(described(*descriptions), hints[:1])).renders == {}
