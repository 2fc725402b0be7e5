"""The validator that the other tests trust."""

import pytest

from services.stac.items import build_raster_item
from tests import stac_validation
from tests.factories.raster_items import raster_item
from tests.stac_validation import assert_valid_item


def test_stac_validator_alone_finds_what_a_schema_forbids() -> None:
    item = build_raster_item(raster_item(collection_id="system-rasters"))
    schemas = {stac_validation._CORE + "/item-spec/json-schema/item.json", *item["stac_extensions"]}
    stac_validation._assert_passes_stac_validator(item, schemas)

    item["assets"]["data"]["proj:code"] = 5

    with pytest.raises(AssertionError, match="5 is not of type"):
        stac_validation._assert_passes_stac_validator(item, schemas)


def test_an_extension_that_is_used_must_be_listed() -> None:
    item = build_raster_item(raster_item(collection_id="system-rasters"))
    item["properties"]["sat:relative_orbit"] = 1

    with pytest.raises(AssertionError, match="used"):
        assert_valid_item(item)
