"""Composites and indices of multispectral rasters."""

from services.stac.band_combinations import band_combinations
from services.stac.items import build_raster_item
from services.stac.links import ApiAddresses, item_links
from services.stac.models import Statistics
from services.stac.renders import render_parameters
from tests.factories.raster_items import band, raster_asset, raster_item
from tests.stac_validation import assert_valid_item

STATISTICS = Statistics(minimum=0.0, maximum=10_000.0, mean=2_000.0, stddev=500.0)
ALL = ("blue", "green", "red", "nir", "swir16", "swir22")


def spectral(*names: str, **fields: object) -> tuple:
    return tuple(
        band(name, common_name=name, data_type="uint16", statistics=STATISTICS, **fields) for name in names
    )


def test_all_combinations_come_from_all_bands() -> None:
    found = band_combinations(spectral(*ALL))

    assert found.missing is None
    assert {name: render["bidx"] for name, render in found.renders.items() if "bidx" in render} == {
        "natural_colour": [3, 2, 1],
        "colour_infrared": [4, 3, 2],
        "swir": [6, 4, 3],
        "agriculture": [5, 4, 1],
        "geology": [6, 5, 1],
    }
    assert {
        name: render["expression"] for name, render in found.renders.items() if "expression" in render
    } == {
        "ndvi": "(b4-b3)/(b4+b3)",
        "ndwi": "(b2-b4)/(b2+b4)",
        "ndmi": "(b4-b5)/(b4+b5)",
        "nbr": "(b4-b6)/(b4+b6)",
    }
    assert found.renders["ndvi"]["rescale"] == [[-1.0, 1.0]]
    assert found.renders["natural_colour"]["rescale"] == [[1000.0, 3000.0]] * 3


def test_what_lacks_a_band_is_left_out() -> None:
    assert set(band_combinations(spectral("red", "nir")).renders) == {"ndvi"}


def test_a_raster_without_any_says_why() -> None:
    colours = band_combinations(spectral("red", "green", "blue"))
    nameless = band_combinations((band("b1"), band("b2")))
    single = band_combinations((band(),))

    assert colours.renders == nameless.renders == single.renders == {}
    assert "blue, green, red could be recognised" in (colours.missing or "")
    assert "none of its bands could be recognised" in (nameless.missing or "")
    assert single.missing == "It has one band."


def test_offsets_are_applied_before_a_quotient() -> None:
    plain = band_combinations(spectral("red", "nir")).renders["ndvi"]
    offset = band_combinations(spectral("red", "nir", scale=0.0001, offset=-0.1)).renders["ndvi"]

    assert "unscale" not in plain
    assert ("unscale", "true") in render_parameters(offset, [])


def test_the_query_chooses_bands_by_name_and_never_by_bidx() -> None:
    bands = [{"name": name, "eo:common_name": name} for name in ALL]
    renders = band_combinations(spectral(*ALL)).renders

    assert render_parameters(renders["colour_infrared"], bands)[0] == ("assets", "data|bands=nir,red,green")
    assert render_parameters(renders["ndvi"], bands)[0] == ("assets", "data|expression=(b4-b3)/(b4+b3)")


def test_a_name_that_bands_share_is_not_used_to_choose_one() -> None:
    bands = [{"name": "a", "eo:common_name": "red"}, {"name": "b", "eo:common_name": "red"}]

    assert render_parameters({"assets": ["data"], "bidx": [2]}, bands) == [("assets", "data|bidx=2")]


def test_an_item_with_combinations_is_valid_and_links_to_each() -> None:
    bands = spectral(*ALL)
    renders = band_combinations(bands).renders
    item = build_raster_item(raster_item(assets={"data": raster_asset(bands=bands)}, renders=renders))

    links = item_links(item, ApiAddresses(features="", raster="https://terrane.test/api/raster"))

    assert_valid_item(item)
    assert {link["render"] for link in links if "render" in link} == set(renders)
    assert all("bidx" not in link["href"] for link in links)


def test_without_an_api_to_show_it_an_item_has_no_links() -> None:
    assert item_links(build_raster_item(raster_item()), ApiAddresses(features="", raster="")) == []


def test_a_table_links_to_its_features_and_tiles() -> None:
    item = {"id": "t", "collection": "c", "assets": {"data": {"href": "postgis://geo.towns"}}}

    links = item_links(item, ApiAddresses(features="https://terrane.test/api/features", raster=""))

    assert {link["rel"] for link in links} == {
        "about",
        "features",
        "preview",
        "viewer",
        "tilejson",
        "queryables",
    }
    assert all(
        link["href"].startswith("https://terrane.test/api/features/collections/geo.towns") for link in links
    )
