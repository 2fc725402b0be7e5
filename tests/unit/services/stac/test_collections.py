"""STAC collections."""

import pytest

from config.defaults import STACDefaults
from services.stac.collections import (
    CollectionDescription,
    Provider,
    build_collection,
    raster_collection,
    system_collections,
)
from tests.stac_validation import assert_valid_collection


def test_every_system_collection_is_described_and_valid() -> None:
    collections = system_collections(STACDefaults.SYSTEM_COLLECTIONS)

    assert [collection["id"] for collection in collections] == list(STACDefaults.SYSTEM_COLLECTIONS)
    for collection in collections:
        assert_valid_collection(collection)
        assert collection["description"]


def test_an_unknown_system_collection_is_an_error() -> None:
    with pytest.raises(KeyError):
        system_collections(["system-nothing"])


def test_a_users_collection_comes_with_all_that_stac_asks_for() -> None:
    collection = raster_collection("floods-2024")

    assert_valid_collection(collection)
    assert collection["description"] == "Rasters of the collection floods-2024."
    assert collection["license"] == "other"
    assert collection["item_assets"]["data"]["type"].endswith("profile=cloud-optimized")


def test_what_the_user_says_is_kept() -> None:
    described = CollectionDescription(
        collection_id="floods",
        title="Floods",
        description="Depths.",
        licence="CC-BY-4.0",
        keywords=("flood",),
        providers=(Provider(name="Agency", roles=("producer",), url="https://example.com"),),
        summaries={"eo:cloud_cover": {"minimum": 0, "maximum": 5}},
    )

    collection = build_collection(described)

    assert_valid_collection(collection)
    assert collection["license"] == "CC-BY-4.0"
    assert [provider["name"] for provider in collection["providers"]] == ["Agency", "Terrane"]
    assert collection["stac_extensions"] == ["https://stac-extensions.github.io/eo/v2.0.0/schema.json"]
