"""Layers: which one is read, and when the caller has to say."""

import json

import geopandas
import pyarrow as pa
import pytest
import shapely

from tests.vector.desk import SQUARE, Desk, collection, feature


def two_layers(desk: Desk, second: list[str | bytes | None]) -> None:
    desk.write_layer("a.gpkg", [SQUARE], {"v": [1]}, driver="GPKG", layer="one")
    columns = {
        "v": pa.array([2.5] * len(second), pa.float64()),
        "w": pa.array(["x"] * len(second), pa.string()),
    }
    desk.write_layer("a.gpkg", second, columns, driver="GPKG", layer="two", append=True)


def test_the_only_layer_with_features_is_read(desk: Desk) -> None:
    two_layers(desk, [])

    outcome = desk.prepare("a.gpkg")

    assert [layer.name for layer in outcome.result.layers] == ["one"]
    assert outcome.column("v") == [1]


def test_several_layers_are_listed_with_type_and_count(desk: Desk) -> None:
    two_layers(desk, ["POINT (1 2)", "POINT (3 4)"])

    error = desk.refusal("a.gpkg")

    assert error.code.code == "vector.layer_ambiguous"
    assert error.message == "the file has 'one' (Unknown, 1 features), 'two' (Unknown, 2 features)"


def test_a_layer_can_be_named(desk: Desk) -> None:
    two_layers(desk, ["POINT (1 2)"])

    assert desk.prepare("a.gpkg", layer="two").wkt == ["POINT (1 2)"]
    assert desk.prepare("a.gpkg", converter={"layer_name": "one"}).column("v") == [1]


def test_an_unknown_layer_is_refused_with_those_there_are(desk: Desk) -> None:
    two_layers(desk, ["POINT (1 2)"])

    error = desk.refusal("a.gpkg", layer="three")

    assert error.code.code == "vector.layer_unknown"
    assert "there is no layer 'three', but 'one'" in error.message


def test_all_layers_are_merged_with_their_names(desk: Desk) -> None:
    two_layers(desk, ["POINT (1 2)", "POINT (3 4)"])

    outcome = desk.prepare("a.gpkg", layer="*")

    assert outcome.column("layer") == ["one", "two", "two"]
    assert outcome.column("v") == [1.0, 2.5, 2.5]
    assert outcome.column("w") == [None, "x", "x"]
    assert (outcome.result.rows_read, outcome.result.geometry_type) == (3, "Geometry")


def test_layers_in_different_crs_are_not_merged(desk: Desk) -> None:
    desk.write_layer("a.gpkg", [SQUARE], {"v": [1]}, driver="GPKG", layer="one")
    desk.write_layer("a.gpkg", [SQUARE], {"v": [1]}, driver="GPKG", layer="two", append=True, crs="EPSG:3857")

    error = desk.refusal("a.gpkg", layer="*")

    assert error.code.code == "vector.layers_differ"
    assert error.message == "layer 'one' is in EPSG:4326, layer 'two' in EPSG:3857"


def write_single_layer(desk: Desk, name: str) -> None:
    # Features whose property has values of several types are not of the plain kind.
    features = [feature("POINT (1 2)", n=1), feature("POINT (1 2)", n="x" if name.startswith("mixed") else 2)]
    kind = name.split(".")[1]
    if kind == "csv":
        desk.write(name, "lat,lon\n2,1\n")
    elif kind == "geojson":
        desk.write(name, collection(*features))
    elif kind == "geojsonl":
        desk.write(name, "\n".join(map(json.dumps, features)))
    else:
        frame = geopandas.GeoDataFrame(
            {"v": [7]}, geometry=shapely.from_wkt(["POINT (1 2)"]), crs="EPSG:4326"
        )
        frame.to_parquet(desk.workspace / name)


@pytest.mark.parametrize(
    "name", ["a.csv", "a.geojson", "mixed.geojson", "a.geojsonl", "mixed.geojsonl", "a.parquet"]
)
def test_a_file_of_one_layer_by_nature_has_it_under_its_own_name_only(desk: Desk, name: str) -> None:
    write_single_layer(desk, name)
    stem = name.split(".", maxsplit=1)[0]

    for known in (None, "*", stem):
        assert [layer.name for layer in desk.prepare(name, layer=known).result.layers] == [stem]
    for other in ({"layer": "other"}, {"converter": {"layer_name": "other"}}):
        error = desk.refusal(name, **other)
        assert error.code.code == "vector.layer_unknown"
        assert error.message == f"there is no layer 'other', but {stem!r}"


def test_a_layer_may_be_named_as_the_file_was_before_it_got_a_plainer_name(desk: Desk) -> None:
    desk.write("häuser [1].csv", "lat,lon\n2,1\n")

    outcome = desk.prepare("häuser [1].csv", layer="häuser [1]")

    assert outcome.wkt == ["POINT (1 2)"]
