"""How an item likes to be drawn."""

from services.stac.items import build_raster_item
from services.stac.models import Statistics
from services.stac.renders import default_renders
from tests.factories.raster_items import band, palette_band, raster_item
from tests.stac_validation import assert_valid_item

STATISTICS = Statistics(minimum=0.0, maximum=1000.0, mean=100.0, stddev=20.0)


def test_elevation_is_coloured_over_the_range_that_most_of_it_has() -> None:
    render = default_renders("dem", [band(statistics=STATISTICS)])["default"]

    assert render["colormap_name"] == "terrain"
    assert render["rescale"] == [[60.0, 140.0]]


def test_a_picture_takes_its_bands_by_their_names() -> None:
    names = ["blue", "green", "red", "nir"]
    bands = [band(name, data_type="uint16", common_name=name, statistics=STATISTICS) for name in names]

    render = default_renders("multispectral", bands)["default"]

    assert render["bidx"] == [3, 2, 1]
    assert render["rescale"] == [[60.0, 140.0]] * 3


def test_eight_bit_colours_stay_as_they_are() -> None:
    bands = [band(name, data_type="uint8", statistics=STATISTICS) for name in "rgb"]

    render = default_renders("rgb", bands)["default"]

    assert render == {"assets": ["data"], "title": "Colours", "bidx": [1, 2, 3]}


def test_classes_keep_their_colours() -> None:
    render = default_renders("categorical", [palette_band()])["default"]

    assert render["colormap"] == {"1": [0, 0, 255, 255], "2": [0, 128, 0, 255], "255": [0, 0, 0, 0]}
    assert render["resampling"] == "nearest"


def test_without_statistics_nothing_is_stretched() -> None:
    render = default_renders("dem", [band(statistics=None)])["default"]

    assert "rescale" not in render


def test_an_item_with_renders_is_valid() -> None:
    renders = default_renders("dem", [band()])

    assert_valid_item(build_raster_item(raster_item(renders=renders)))
