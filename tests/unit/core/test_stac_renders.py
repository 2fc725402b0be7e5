"""What renders have in common."""

from core.json import JsonObject
from core.stac_renders import common_renders, same_renders

NDVI: JsonObject = {
    "title": "NDVI",
    "assets": ["data"],
    "expression": "(b4-b3)/(b4+b3)",
    "rescale": [[-1, 1]],
}


def composite(*rescale: list[float], bands: tuple[int, ...] = (3, 2, 1)) -> JsonObject:
    render: JsonObject = {"title": "Natural colour", "assets": ["data"], "bidx": list(bands)}
    return render | ({"rescale": list(rescale)} if rescale else {})


def test_what_one_lacks_is_not_common() -> None:
    assert common_renders([{"ndvi": NDVI, "rgb": composite()}, {"ndvi": NDVI}]) == {"ndvi": NDVI}
    assert common_renders([{"ndvi": NDVI}, {}]) == {}
    assert common_renders([]) == {}


def test_one_name_for_other_bands_is_not_common() -> None:
    assert common_renders([{"rgb": composite()}, {"rgb": composite(bands=(1, 2, 3))}]) == {}


def test_the_stretch_covers_all_of_them() -> None:
    several = [{"rgb": composite([0, 5], [2, 9])}, {"rgb": composite([1, 7], [1, 8])}]

    assert common_renders(several) == {"rgb": composite([0, 7], [1, 9])}


def test_without_a_stretch_of_each_there_is_none() -> None:
    assert common_renders([{"rgb": composite([0, 5])}, {"rgb": composite()}]) == {"rgb": composite()}


def test_stretches_make_no_difference_between_ways_to_draw() -> None:
    assert same_renders({"rgb": composite([0, 5])}, {"rgb": composite()})
    assert not same_renders({"rgb": composite()}, {"rgb": composite(), "ndvi": NDVI})
