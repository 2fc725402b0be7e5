"""Tags as sensors leave them, and what an item says of them."""

from typing import Any

import pytest

from services.sensor_metadata import describe_sensor

WORLDVIEW = {
    "IMD:IMAGE_1.satId": '"WV03"',
    "IMD:IMAGE_1.cloudCover": "0.032",
    "IMD:IMAGE_1.meanSunEl": "58.3",
    "IMD:IMAGE_1.meanSunAz": "146.2",
    "IMD:IMAGE_1.meanOffNadirViewAngle": "17.5",
    "IMD:IMAGE_1.meanSatAz": "-12.0",
    "IMD:IMAGE_1.meanProductGSD": "1.35",
    "IMD:IMAGE_1.revNumber": "24312",
}
LANDSAT = {
    "SPACECRAFT_ID": "LANDSAT_8",
    "SENSOR_ID": "OLI_TIRS",
    "CLOUD_COVER": "12.4",
    "SUN_AZIMUTH": "-170.5",
    "SUN_ELEVATION": "41.25",
    "ROLL_ANGLE": "-0.001",
}
SENTINEL = {
    "DATATAKE_1_SPACECRAFT_NAME": "Sentinel-2A",
    "CLOUD_COVERAGE_ASSESSMENT": "3.5",
    "DATATAKE_1_SENSING_ORBIT_DIRECTION": "DESCENDING",
    "DATATAKE_1_SENSING_ORBIT_NUMBER": "22",
    "MEAN_SUN_ZENITH_ANGLE": "30",
    "MEAN_SUN_AZIMUTH_ANGLE": "150",
}


@pytest.mark.parametrize(
    ("tags", "properties"),
    [
        (
            WORLDVIEW,
            {
                "platform": "worldview-3",
                "constellation": "worldview",
                "gsd": 1.35,
                "eo:cloud_cover": 3.2,
                "view:sun_elevation": 58.3,
                "view:sun_azimuth": 146.2,
                "view:off_nadir": 17.5,
                "view:azimuth": 348.0,
                "sat:absolute_orbit": 24312,
            },
        ),
        (
            LANDSAT,
            {
                "platform": "landsat-8",
                "constellation": "landsat",
                "instruments": ["oli", "tirs"],
                "eo:cloud_cover": 12.4,
                "view:sun_azimuth": 189.5,
                "view:sun_elevation": 41.25,
            },
        ),
        (
            SENTINEL,
            {
                "platform": "sentinel-2a",
                "constellation": "sentinel-2",
                "eo:cloud_cover": 3.5,
                "sat:orbit_state": "descending",
                "sat:relative_orbit": 22,
                "view:sun_elevation": 60,
                "view:sun_azimuth": 150,
            },
        ),
        ({"EXIF_Model": "FC6310"}, {"instruments": ["fc6310"]}),
        (
            {"IMAGERY:SATELLITEID": "Pleiades", "IMAGERY:CLOUDCOVER": "7"},
            {"platform": "pleiades", "eo:cloud_cover": 7},
        ),
        ({}, {}),
    ],
)
def test_what_sensors_leave_is_told_in_the_terms_of_stac(
    tags: dict[str, str], properties: dict[str, Any]
) -> None:
    assert describe_sensor(tags) == properties


@pytest.mark.parametrize(
    "tags",
    [
        {"IMD:IMAGE_1.cloudCover": "-999"},
        {"CLOUD_COVER": "unknown"},
        {"CLOUD_COVER": "nan"},
        {"SUN_ELEVATION": "1e9"},
        {"IMD:IMAGE_1.meanProductGSD": "0"},
        {"DATATAKE_1_SENSING_ORBIT_DIRECTION": "sideways"},
        {"DATATAKE_1_SENSING_ORBIT_NUMBER": "-1"},
        {"SPACECRAFT_ID": "  "},
    ],
)
def test_what_cannot_be_read_is_left_out(tags: dict[str, str]) -> None:
    assert describe_sensor(tags) == {}


def test_a_tag_that_cannot_be_read_gives_way_to_the_next() -> None:
    assert describe_sensor({"CLOUD_COVERAGE_ASSESSMENT": "?", "CLOUD_COVER": "5"}) == {"eo:cloud_cover": 5}
