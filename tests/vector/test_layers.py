"""Layers: which one is read, and when the caller has to say."""

import pyarrow as pa

from tests.vector.desk import SQUARE, Desk


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
