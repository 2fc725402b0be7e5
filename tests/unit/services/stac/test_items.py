"""The item of a published raster."""

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from core.json import JsonObject
from services.stac.items import build_raster_item
from services.stac.models import Acquisition, RasterItem, Statistics
from tests.factories.raster_items import (
    CHECKSUM,
    STORE,
    band,
    palette_band,
    projection,
    provenance,
    raster_asset,
    raster_item,
)
from tests.stac_validation import assert_valid_item

EXTENSION = "https://stac-extensions.github.io/{}/schema.json"


def build(**fields: Any) -> JsonObject:
    item = build_raster_item(raster_item(**fields))
    assert_valid_item(item)
    return item


def test_the_data_asset_says_everything_about_the_cog() -> None:
    item = build()

    assert item["assets"]["data"] == {
        "href": f"{STORE}/silver-cogs/dem/tile_17_cog.tif",
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "title": "Elevation",
        "roles": ["data"],
        "gsd": 10.0,
        "file:size": 123456,
        "file:checksum": CHECKSUM,
        "proj:code": "EPSG:32633",
        "proj:shape": [512, 256],
        "proj:transform": [10.0, 0.0, 500000.0, 0.0, -10.0, 5700000.0],
        "proj:bbox": [500000.0, 5694880.0, 502560.0, 5700000.0],
        "bands": [
            {
                "name": "elevation",
                "data_type": "float32",
                "nodata": -9999.0,
                "unit": "m",
                "statistics": {
                    "minimum": 1.5,
                    "maximum": 812.25,
                    "mean": 300.0,
                    "stddev": 90.5,
                    "valid_percent": 98.5,
                },
            }
        ],
    }


def test_the_properties_say_who_made_it_when_and_with_what() -> None:
    properties = build()["properties"]

    history = properties.pop("stac:processing_history")
    assert properties == {
        "datetime": "2024-03-01T12:00:00Z",
        "app:datetime_source": "source_last_modified",
        "title": "tile 17",
        "gsd": 10.0,
        "updated": "2024-03-02T09:30:00Z",
        "app:job_id": "0" * 64,
        "app:job_type": "process_raster_v2",
        "app:created_by": "terrane",
        "app:processing_timestamp": "2024-03-02T09:30:00Z",
        "processing:software": {"GDAL": "3.10.3", "terrane": "0.1.0"},
        "processing:datetime": "2024-03-02T09:30:00Z",
        "processing:lineage": "Written as a Cloud Optimized GeoTIFF.",
        "processing:facility": "Terrane",
    }
    assert history == [
        {
            "name": "create_cog",
            "inputs": [{"href": f"{STORE}/bronze-rasters/dem/tile%2017.tif"}],
            "outputs": [{"href": f"{STORE}/silver-cogs/dem/tile_17_cog.tif"}],
            "parameters": {"target_crs": "EPSG:32633", "output_tier": "analysis"},
            "completed_at": "2024-03-02T09:30:00Z",
        }
    ]


def test_links_need_no_address_of_the_api() -> None:
    assert build()["links"] == [
        {"rel": "collection", "href": "../../system-rasters", "type": "application/json"},
        {
            "rel": "derived_from",
            "href": f"{STORE}/bronze-rasters/dem/tile%2017.tif",
            "type": "image/tiff",
        },
    ]


def test_the_thumbnail_is_an_asset() -> None:
    thumbnail = build()["assets"]["thumbnail"]

    assert thumbnail["type"] == "image/png"
    assert thumbnail["roles"] == ["thumbnail"]
    assert thumbnail["file:size"] == 4096
    assert "thumbnail" not in build(thumbnail=None)["assets"]


def test_extensions_are_listed_only_if_a_field_of_theirs_is_there() -> None:
    bare_asset = raster_asset(nbytes=None, checksum=None)
    bare = build(
        assets={"data": bare_asset},
        thumbnail=None,
        provenance=provenance(),
    )
    coloured = raster_asset(bands=(band(common_name="red", scale=0.1, offset=0.0),))
    full = build(
        assets={"data": coloured},
        properties={"view:sun_elevation": 40.0},
        renders={"default": {"assets": ["data"], "rescale": [[0, 1]]}},
    )

    assert bare["stac_extensions"] == [
        EXTENSION.format("processing/v1.2.0"),
        EXTENSION.format("projection/v2.0.0"),
    ]
    assert full["stac_extensions"] == [
        EXTENSION.format(name)
        for name in (
            "eo/v2.0.0",
            "file/v2.1.0",
            "processing/v1.2.0",
            "projection/v2.0.0",
            "raster/v2.0.0",
            "render/v2.0.0",
            "view/v1.0.0",
        )
    ]


def test_a_palette_becomes_classes() -> None:
    item = build(assets={"data": raster_asset(bands=(palette_band(),))})

    assert item["assets"]["data"]["bands"][0]["classification:classes"] == [
        {"value": 1, "name": "water", "color_hint": "0000FF"},
        {"value": 2, "name": "class_2", "color_hint": "008000"},
        {"value": 255, "name": "class_255", "color_hint": "000000", "nodata": True},
    ]
    assert EXTENSION.format("classification/v2.0.0") in item["stac_extensions"]


def test_a_crs_without_a_code_is_given_as_wkt() -> None:
    grid = projection(code=None, wkt2='ENGCRS["local"]')

    data = build(assets={"data": raster_asset(projection=grid)})["assets"]["data"]

    assert data["proj:code"] is None
    assert data["proj:wkt2"] == 'ENGCRS["local"]'


def test_statistics_that_are_not_finite_are_left_out() -> None:
    some = Statistics(minimum=math.nan, maximum=math.inf, mean=3.0)
    none = Statistics(minimum=math.nan)

    bands = build(
        assets={"data": raster_asset(bands=(band("a", statistics=some), band("b", statistics=none)))}
    )["assets"]["data"]["bands"]

    assert bands[0]["statistics"] == {"mean": 3.0}
    assert "statistics" not in bands[1]


@pytest.mark.parametrize(
    ("value", "written"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf"), (0, 0), ("nan", "nan")]
)
def test_nodata_is_written_as_stac_writes_it(value: Any, written: Any) -> None:
    [found] = build(assets={"data": raster_asset(bands=(band(nodata=value),))})["assets"]["data"]["bands"]

    assert found["nodata"] == written


def test_the_datas_own_time_comes_first() -> None:
    moment = datetime(2023, 7, 4, 12, tzinfo=timezone(timedelta(hours=2)))

    properties = build(acquired=Acquisition(datetime=moment, source="TIFFTAG_DATETIME"))["properties"]

    assert properties["datetime"] == "2023-07-04T10:00:00Z"
    assert properties["app:datetime_source"] == "TIFFTAG_DATETIME"
    assert "start_datetime" not in properties


def test_a_range_leaves_the_moment_null() -> None:
    year = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 12, 31, tzinfo=UTC))

    properties = build(acquired=Acquisition(range=year, source="parameters"))["properties"]

    assert properties["datetime"] is None
    assert properties["start_datetime"] == "2020-01-01T00:00:00Z"
    assert properties["end_datetime"] == "2020-12-31T00:00:00Z"


def test_times_that_make_no_sense_are_refused() -> None:
    backwards = (datetime(2020, 12, 31, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC))

    with pytest.raises(ValidationError, match="is after"):
        Acquisition(range=backwards, source="parameters")
    with pytest.raises(ValidationError, match="a moment or a range"):
        Acquisition(source="parameters")


def test_what_a_user_gives_does_not_hide_what_the_system_knows() -> None:
    properties = build(properties={"app:job_id": "forged", "platform": "landsat-8"})["properties"]

    assert properties["app:job_id"] == "0" * 64
    assert properties["platform"] == "landsat-8"


def test_a_bbox_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        build_raster_item(raster_item(bbox=(math.nan, 0.0, 1.0, 1.0)))


def test_an_item_with_three_tiers_has_an_asset_for_each() -> None:
    item = build(
        assets={
            "data": raster_asset(),
            "visual": raster_asset(roles=("visual",)),
            "archive": raster_asset(roles=("archive",)),
        }
    )

    assert [asset["roles"] for asset in item["assets"].values()] == [
        ["data"],
        ["visual"],
        ["archive"],
        ["thumbnail"],
    ]


def test_an_explicit_id_is_kept() -> None:
    assert build(item_id="my.id")["id"] == "my.id"
    assert build()["id"] == "system-rasters-dem-tile_17_cog-tif"


def test_the_same_description_gives_the_same_item() -> None:
    description: RasterItem = raster_item()

    assert build_raster_item(description) == build_raster_item(description)
