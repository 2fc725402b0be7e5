"""GeoJSON with the faults that it comes with."""

import json
from typing import Any

import pytest

from tests.vector.desk import Desk, collection, feature

POINT = "POINT (1 2)"


def lines(*items: Any) -> str:
    return "\n".join(item if isinstance(item, str) else json.dumps(item) for item in items) + "\n"


def test_properties_become_columns_of_their_types(desk: Desk) -> None:
    first = {"i": 1, "big": 2**40, "f": 1.5, "s": "x", "b": True, "d": "2020-01-01", "n": None}
    first |= {"t": "2020-01-01T10:00:00", "tz": "2020-01-01T10:00:00+02:00", "l": [1, "a"], "o": {"a": [1]}}
    desk.write(
        "a.geojson",
        collection(feature(POINT, **first), feature(POINT, i=None, mixed=1), feature(POINT, mixed="x")),
    )

    outcome = desk.prepare("a.geojson")

    assert outcome.types == {
        "i": "integer",
        "big": "bigint",
        "f": "double precision",
        "s": "text",
        "b": "boolean",
        "d": "date",
        "t": "timestamp",
        "tz": "timestamptz",
        "l": "jsonb",
        "o": "jsonb",
        "n": "text",
        "mixed": "jsonb",
    }
    assert [json.loads(value) for value in (outcome.column("l")[0], outcome.column("o")[0])] == [
        [1, "a"],
        {"a": [1]},
    ]
    assert [value and json.loads(value) for value in outcome.column("mixed")] == [None, 1, "x"]
    assert outcome.column("tz")[0].isoformat() == "2020-01-01T08:00:00+00:00"


@pytest.mark.parametrize("number", [2**63, 2**64 + 1, -(2**63) - 1, 10**30])
@pytest.mark.parametrize("name", ["a.geojson", "a.geojsonl"])
def test_integers_beyond_64_bits_are_kept_as_text(desk: Desk, number: int, name: str) -> None:
    items = [
        feature(POINT, i=1, s='"12345678901234567890", 1'),
        feature(POINT, i=number, s="x"),
        feature("POINT (1.12345678901234567890123 2)", i=2, s="y"),
    ]
    desk.write(name, collection(*items) if name == "a.geojson" else lines(*items))

    outcome = desk.prepare(name)

    assert outcome.types["i"] == "text"
    assert outcome.column("i") == ["1", str(number), "2"]
    assert outcome.column("s")[0] == '"12345678901234567890", 1'
    assert "vector.column_type_widened" in outcome.codes
    notes = {column.name: column.note for column in outcome.result.columns}
    assert notes == {"i": "integers beyond 64 bits are kept as text", "s": None}


def test_an_integer_of_any_number_of_digits_is_kept_as_text(desk: Desk) -> None:
    digits = "7" * 10_000
    desk.write(
        "a.geojson", collection(feature(POINT, i=1), feature(POINT, i=0)).replace('"i": 0', f'"i": {digits}')
    )

    outcome = desk.prepare("a.geojson")

    assert (outcome.types["i"], outcome.column("i")) == ("text", ["1", digits])


def test_a_property_beside_properties_is_a_column_too(desk: Desk) -> None:
    items = [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "i": i} for i in (2**70, 1)
    ]
    desk.write("a.geojson", collection(*items))

    outcome = desk.prepare("a.geojson")

    assert (outcome.types["i"], outcome.column("i")) == ("text", [str(2**70), "1"])


def test_long_integers_within_objects_leave_the_columns_as_they_are(desk: Desk) -> None:
    items = [feature(POINT, o={"i": 2**70}, i=1), feature(POINT, o={"i": 1}, i="x")]
    desk.write("a.geojson", collection(*items))

    outcome = desk.prepare("a.geojson")

    assert (outcome.types["o"], outcome.types["i"]) == ("jsonb", "jsonb")
    assert [json.loads(value) for value in outcome.column("o")] == [{"i": str(2**70)}, {"i": 1}]
    assert [json.loads(value) for value in outcome.column("i")] == [1, "x"]


def test_the_largest_integer_of_64_bits_stays_a_number(desk: Desk) -> None:
    desk.write("a.geojson", collection(feature(POINT, i=2**63 - 1), feature(POINT, i=1 - 10**18)))

    outcome = desk.prepare("a.geojson")

    assert (outcome.types["i"], outcome.column("i")) == ("bigint", [2**63 - 1, 1 - 10**18])


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_a_collection_cut_off_in_the_middle_is_refused(desk: Desk, keep: float) -> None:
    whole = collection(*[feature(POINT, n=number) for number in range(50)])
    desk.write("a.geojson", whole[: int(len(whole) * keep)])

    error = desk.refusal("a.geojson")

    assert error.code.code == "vector.truncated"
    assert error.message.startswith("a.geojson: Failed to read GeoJSON data; At line 1, character")
    assert "upload the file again" in error.code.remedy


@pytest.mark.parametrize(
    "bad",
    [
        {"type": "Point", "coordinates": ["x", 2]},
        {"type": "Point", "coordinates": []},
        {"type": "Nonsense", "coordinates": [1, 2]},
        {"type": "LineString", "coordinates": [[0, 0], [1, None]]},
        {"type": "Polygon", "coordinates": 7},
        ["x"],
    ],
)
def test_a_bad_feature_among_good_ones_is_dropped_and_named(desk: Desk, bad: Any) -> None:
    good = [feature(POINT, n=number) for number in range(20)]
    desk.write("a.geojson", collection(*good[:7], feature(bad, n=-1), feature(None, n=-2), *good[7:]))

    outcome = desk.prepare("a.geojson")

    assert outcome.dropped == {"vector.geometry_malformed": [7], "vector.geometry_null": [8]}
    assert (outcome.result.rows_read, outcome.result.rows_prepared) == (22, 20)
    assert outcome.column("n") == list(range(20))


def test_too_many_bad_features_are_refused(desk: Desk) -> None:
    bad = {"type": "Point", "coordinates": ["x", 2]}
    desk.write("a.geojson", collection(feature(POINT), feature(bad), feature(bad)))

    error = desk.refusal("a.geojson")

    assert error.code.code == "vector.bad_rows"
    assert error.message == (
        "2 of 3 rows cannot be used, more than 10 %. Geometries that cannot be read (rows 1, 2)"
    )


def test_bad_lines_of_a_sequence_are_dropped_and_listed(desk: Desk) -> None:
    good = [feature(POINT, n=number) for number in range(40)]
    desk.write("a.geojsonl", lines(*good[:3], "not json", *good[3:], "{bad}", '{"type": "Feature", "prop'))

    outcome = desk.prepare("a.geojsonl")

    assert outcome.column("n") == list(range(40))
    assert outcome.dropped == {"vector.row_malformed": [4, 42, 43]}
    assert "not json" in outcome.result.dropped[0].message


def test_no_features_and_only_null_geometries_are_refused(desk: Desk) -> None:
    desk.write("a.geojson", collection())
    assert desk.refusal("a.geojson").code.code == "vector.empty"

    desk.write("a.geojson", collection(feature(None, a=1), feature(None, a=2)))
    error = desk.refusal("a.geojson")
    assert error.code.code == "vector.geometries_missing"
    assert error.message == "none of the 2 features has a usable geometry"


def test_the_old_crs_member_is_believed(desk: Desk) -> None:
    text = json.loads(collection(feature("POINT (111319.490793 222684.208506)")))
    text["crs"] = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    desk.write("a.geojson", json.dumps(text))

    outcome = desk.prepare("a.geojson")

    assert (outcome.result.source_crs, outcome.wkt) == ("EPSG:3857", ["POINT (1 2)"])
    assert desk.refusal("a.geojson", input_crs="EPSG:4326").code.code == "vector.crs_mismatch"


def with_crs(name: Any, *, last: bool = True) -> str:
    """Return a collection of one point with the old member, before its features or after them."""
    text = json.loads(collection(feature("POINT (10 50)")))
    member = {"crs": {"type": "name", "properties": {"name": name}} if isinstance(name, str) else name}
    return json.dumps(text | member if last else member | text)


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize(
    "name",
    [
        "nonsense",
        "urn:ogc:def:crs:EPSG::999999",
        "+init=/etc/hostname:1",
        {"type": "link", "properties": {"href": "https://example.org/a.prj"}},
        {"type": "name", "properties": {}},
    ],
)
def test_a_crs_member_that_names_no_known_crs_is_not_taken_for_degrees(
    desk: Desk, name: Any, last: bool
) -> None:
    desk.write("a.geojson", with_crs(name, last=last))

    error = desk.refusal("a.geojson")
    outcome = desk.prepare("a.geojson", input_crs="EPSG:4326")

    assert error.code.code == "vector.crs_missing"
    assert (name if isinstance(name, str) else name["type"]) in error.message
    assert (outcome.wkt, outcome.result.crs_source) == (["POINT (10 50)"], "input_crs")


@pytest.mark.parametrize("name", ["25832", "ETRS89 / UTM zone 32N"])
def test_a_crs_member_that_only_proj_knows_is_believed(desk: Desk, name: str) -> None:
    desk.write("a.geojson", with_crs(name))

    assert desk.prepare("a.geojson").result.source_crs == "EPSG:25832"


@pytest.mark.parametrize(
    "name", ["CRS84", "WGS 84", "urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:EPSG::4326", None]
)
def test_a_crs_member_that_means_degrees_changes_nothing(desk: Desk, name: str | None) -> None:
    desk.write("a.geojson", with_crs(name))

    outcome = desk.prepare("a.geojson")

    assert (outcome.wkt, outcome.codes) == (["POINT (10 50)"], set())


def test_a_property_called_crs_is_no_crs_member(desk: Desk) -> None:
    desk.write("a.geojson", collection(feature(POINT, crs={"type": "nonsense"})))

    assert desk.prepare("a.geojson").wkt == [POINT]


def test_coordinates_in_metres_are_out_of_range_unless_the_crs_is_given(desk: Desk) -> None:
    desk.write("a.geojson", collection(feature("POINT (111319.490793 222684.208506)")))

    error = desk.refusal("a.geojson")
    outcome = desk.prepare("a.geojson", input_crs="EPSG:3857")

    assert error.code.code == "vector.bad_rows"
    assert "longitude 111319 to 111319, latitude 222684 to 222684" in error.message
    assert "(`input_crs`)" in error.message
    assert outcome.wkt == ["POINT (1 2)"]
    assert "vector.crs_assumed" in outcome.codes


def test_a_gdal_algorithm_is_refused(desk: Desk) -> None:
    desk.write("secret.geojson", collection(feature(POINT, hidden="s")))
    desk.write(
        "a.json", json.dumps({"type": "gdal_streamed_alg", "command_line": "gdal vector read secret.geojson"})
    )

    error = desk.refusal("a.json")

    assert error.code.code == "vector.external_reference"
    assert "a GDAL algorithm (GDALG)" in error.message


def test_topojson_is_in_degrees_by_rule(desk: Desk) -> None:
    topology = {
        "type": "Topology",
        "objects": {
            "lands": {
                "type": "GeometryCollection",
                "geometries": [{"type": "Polygon", "arcs": [[0]], "properties": {"a": 1}}],
            }
        },
        "arcs": [[[0, 0], [1, 0], [1, 1], [0, 0]]],
    }
    desk.write("a.topojson", json.dumps(topology))

    outcome = desk.prepare("a.topojson")

    assert outcome.wkt == ["POLYGON ((0 0, 1 0, 1 1, 0 0))"]
    assert (outcome.result.driver, outcome.result.source_crs, outcome.result.crs_source) == (
        "TopoJSON",
        "EPSG:4326",
        "format",
    )


def test_a_sequence_needs_no_ending_of_its_own(desk: Desk) -> None:
    desk.write("a.json", lines(feature(POINT, a=1), feature(POINT, a=2)))

    outcome = desk.prepare("a.json")

    assert (outcome.result.driver, outcome.column("a")) == ("GeoJSONSeq", [1, 2])


def test_a_null_character_is_left_out_of_text(desk: Desk) -> None:
    desk.write("a.geojson", collection(feature(POINT, s="a\x00b", o={"x": "c\x00d"})))

    outcome = desk.prepare("a.geojson")

    assert "\x00" not in outcome.column("s")[0]
    assert json.loads(outcome.column("o")[0]) == {"x": "cd"}


@pytest.mark.parametrize("extension", ["geojson", "geojsonl"])
def test_a_byte_order_mark_is_no_part_of_the_data(desk: Desk, extension: str) -> None:
    one = feature("POINT (1 2)", name="Köln")
    content = collection(one) if extension == "geojson" else f"{json.dumps(one)}\n"
    desk.write(f"a.{extension}", content.encode("utf-8-sig"))

    outcome = desk.prepare(f"a.{extension}")

    assert (outcome.column("name"), outcome.wkt) == (["Köln"], ["POINT (1 2)"])
