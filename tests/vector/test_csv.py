"""CSV: layouts that people have, types by every value, and rows that cannot be read."""

import pytest
import shapely

from tests.vector.desk import SQUARE, Desk

CURVE = "CIRCULARSTRING (0 0, 1 1, 2 0)"
TIN = "TIN Z (((0 0 0,1 0 0,0 1 0,0 0 0)))"
VRT = """<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource>secret.csv</SrcDataSource></OGRVRTLayer>
</OGRVRTDataSource>"""


def csv_of(*geometries: str) -> str:
    return "wkt,n\n" + "".join(f'"{geometry}",{number}\n' for number, geometry in enumerate(geometries))


def test_latitude_and_longitude_become_points(desk: Desk) -> None:
    desk.write("a.csv", "Name,Latitude,Longitude\nÅ,47.5,8.25\nB,-1,2\n")

    outcome = desk.prepare("a.csv")

    assert outcome.wkt == ["POINT (8.25 47.5)", "POINT (2 -1)"]
    assert outcome.types == {"name": "text", "latitude": "double precision", "longitude": "bigint"} | {
        "longitude": "double precision"
    }
    assert (outcome.result.source_crs, outcome.result.crs_source) == ("EPSG:4326", "format")
    assert outcome.column("source_fid") == [1, 2]


def test_columns_can_be_named(desk: Desk) -> None:
    desk.write("a.csv", "breite;laenge;x\n47,5;8,25;1\n")

    outcome = desk.prepare("a.csv", converter={"lat_name": "breite", "lon_name": "laenge"})

    assert outcome.wkt == ["POINT (8.25 47.5)"]
    assert outcome.column("breite") == [47.5]


def test_eastings_need_a_crs(desk: Desk) -> None:
    desk.write("a.csv", "easting,northing\n2600000,1200000\n")

    assert desk.refusal("a.csv").code.code == "vector.crs_missing"
    assert "input_crs" in desk.refusal("a.csv").code.remedy
    assert desk.prepare("a.csv", input_crs="EPSG:2056").wkt == ["POINT (7.438632 46.951083)"]


def test_a_missing_column_is_refused_with_the_header(desk: Desk) -> None:
    desk.write("a.csv", "a,b\n1,2\n")

    error = desk.refusal("a.csv")
    named = desk.refusal("a.csv", converter={"lat_name": "lat", "lon_name": "b"})

    assert error.code.code == "vector.csv_columns_missing"
    assert error.message == "no columns have usual names of coordinates; the header has 'a', 'b'"
    assert named.message == "there is no column 'lat' (lat_name); the header has 'a', 'b'"


def test_one_of_two_names_is_not_enough(desk: Desk) -> None:
    desk.write("a.csv", "lat,lon\n1,2\n")

    error = desk.refusal("a.csv", converter={"lat_name": "lat"})

    assert "lat_name and lon_name belong together" in error.message


def test_every_delimiter_is_found(desk: Desk) -> None:
    for delimiter in (",", ";", "\t", "|"):
        desk.write(
            "a.csv", delimiter.join(["lat", "lon", "t"]) + "\n" + delimiter.join(["1", "2", "x y"]) + "\n"
        )

        assert desk.prepare("a.csv").column("t") == ["x y"]


def test_a_delimiter_that_is_none_of_the_usual_can_be_given(desk: Desk) -> None:
    desk.write("a.csv", 'lat#lon#t\n1.5#2#"a#b"\n3#4#c,d;e\n')

    outcome = desk.prepare("a.csv", converter={"delimiter": "#"})

    assert outcome.wkt == ["POINT (2 1.5)", "POINT (4 3)"]
    assert outcome.column("t") == ["a#b", "c,d;e"]


def test_a_delimiter_that_is_given_overrules_the_one_that_would_be_found(desk: Desk) -> None:
    desk.write("a.csv", "lat;lon;a,b\n1;2;x,y\n")

    outcome = desk.prepare("a.csv", converter={"delimiter": ";"})

    assert outcome.column("a_b") == ["x,y"]


def test_a_decimal_mark_can_be_given(desk: Desk) -> None:
    desk.write("a.csv", "lat;lon;depth;code\n47,5;8,25;1,5;1.2.3\n48;9;-2;4\n")

    outcome = desk.prepare("a.csv", converter={"decimal": ",", "delimiter": ";"})

    assert outcome.wkt == ["POINT (8.25 47.5)", "POINT (9 48)"]
    assert outcome.column("depth") == [1.5, -2.0]
    assert outcome.column("code") == ["1.2.3", "4"]


def test_a_decimal_mark_that_is_given_overrules_the_one_that_would_be_found(desk: Desk) -> None:
    desk.write("a.csv", "lat;lon;a;b;c\n47.5;8.25;1,5;2,5;3,5\n")

    found = desk.prepare("a.csv")
    given = desk.prepare("a.csv", converter={"decimal": "."})

    assert (found.column("a"), given.column("a")) == ([1.5], ["1,5"])
    assert given.wkt == ["POINT (8.25 47.5)"]


def test_encodings_are_found_or_given(desk: Desk) -> None:
    text = "lat,lon,Straße\n1,2,Köln\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        desk.write("a.csv", text.encode(encoding))
        outcome = desk.prepare("a.csv")
        assert outcome.column("strasse") == ["Köln"]
    assert outcome.codes >= {"vector.encoding_assumed"}

    desk.write("a.csv", "lat,lon,t\n1,2,Ł\n".encode("iso8859-2"))
    assert desk.prepare("a.csv", converter={"encoding": "iso8859-2"}).column("t") == ["Ł"]
    assert desk.refusal("a.csv", converter={"encoding": "utf-8"}).code.code == "vector.encoding_unknown"
    assert desk.refusal("a.csv", converter={"encoding": "klingon"}).code.code == "vector.encoding_unknown"


def test_types_are_those_of_every_value(desk: Desk) -> None:
    rows = ["lat,lon,i,late,code,long,f,b,d,t,tz,mixed,empty,na"]
    rows += ["1,2,1,1,007,1,1.5,true,2020-01-01,2020-01-01T10:00:00,2020-01-01T10:00:00Z,1,,1"] * 3
    rows += [
        "1,2,,x,,99999999999999999999,1e3,FALSE,2020-02-29,2020-01-01 10:00,2020-01-01T10:00:00+02:00,a,,NA"
    ]
    desk.write("a.csv", "\n".join(rows) + "\n")

    outcome = desk.prepare("a.csv")

    assert {name: outcome.types[name] for name in list(outcome.types)[2:]} == {
        "i": "bigint",
        "late": "text",
        "code": "text",
        "long": "text",
        "f": "double precision",
        "b": "boolean",
        "d": "date",
        "t": "timestamp",
        "tz": "timestamptz",
        "mixed": "text",
        "empty": "text",
        "na": "bigint",
    }
    assert outcome.column("long")[3] == "99999999999999999999"
    assert outcome.column("code")[0] == "007"
    assert outcome.column("na") == [1, 1, 1, None]
    assert "vector.column_type_widened" in outcome.codes


def test_wkt_ewkt_and_hex_are_read_from_one_column(desk: Desk) -> None:
    square = shapely.from_wkt(SQUARE)
    with_srid = shapely.to_wkb(shapely.set_srid(square, 4326), hex=True, include_srid=True)
    values = [SQUARE, f"SRID=4326;{SQUARE}", square.wkb_hex, with_srid, ""]
    desk.write("a.csv", csv_of(*values))

    outcome = desk.prepare("a.csv")

    assert outcome.wkt == [SQUARE] * 4
    assert outcome.column("n") == [0, 1, 2, 3]
    assert outcome.dropped == {"vector.geometry_null": [5]}
    assert (outcome.result.source_crs, outcome.result.crs_source) == ("EPSG:4326", "srid")
    assert "wkt" not in outcome.types


def test_wkt_without_srid_in_degrees_is_assumed_to_be_that(desk: Desk) -> None:
    desk.write("a.csv", "geom\nPOINT (1 2)\n")

    outcome = desk.prepare("a.csv")

    assert outcome.result.source_crs == "EPSG:4326"
    assert "vector.crs_assumed" in outcome.codes


@pytest.mark.parametrize(
    ("late", "crs", "crs_source"),
    [
        ("POINT (2600000 1200000)", None, None),
        ("LINESTRING (1 2, 3 90.5)", None, None),
        ("POINT (180.5 1)", None, None),
        ("POINT (1e3 2)", None, None),
        ("POINT (1 -4e2)", None, None),
        (shapely.Point(200, 1).wkb_hex, None, None),
        ("POINT (-180 -90)", "EPSG:4326", "format"),
        ("POINT Z (1 2 4810.5)", "EPSG:4326", "format"),
        ("no geometry 1000", "EPSG:4326", "format"),
        ("SRID=4258;POINT (1 2)", "EPSG:4258", "srid"),
        (
            shapely.to_wkb(shapely.set_srid(shapely.Point(1, 2), 4258), hex=True, include_srid=True),
            "EPSG:4258",
            "srid",
        ),
    ],
)
def test_the_crs_of_text_is_judged_by_values_that_come_late_too(
    desk: Desk, late: str, crs: str | None, crs_source: str | None
) -> None:
    # Rows are read in blocks of a few mebibytes.
    rows = ["POINT (1 2),"] + ["POINT (1 2)," + "x" * 1024 * 1024] * 10 + [f'"{late}",']
    desk.write("a.csv", "geom,t\n" + "\n".join(rows) + "\n")

    if crs is None:
        assert desk.refusal("a.csv").code.code == "vector.crs_missing"
    else:
        result = desk.prepare("a.csv").result
        assert (result.source_crs, result.crs_source) == (crs, crs_source)


def test_wkt_in_metres_needs_a_crs(desk: Desk) -> None:
    desk.write("a.csv", "geom\nPOINT (2600000 1200000)\n")

    assert desk.refusal("a.csv").code.code == "vector.crs_missing"
    assert desk.prepare("a.csv", input_crs="EPSG:2056").result.crs_source == "input_crs"


def test_curves_as_text_take_the_sql_path(desk: Desk) -> None:
    desk.write("a.csv", csv_of(CURVE, "POINT M (1 2 3)", "POINT (1 2)", TIN))

    outcome = desk.prepare("a.csv")

    assert [(chunk.rows, chunk.sql_path) for chunk in outcome.result.chunks] == [(1, True), (3, True)]
    assert outcome.result.geometry_type == "GeometryZM"


def test_a_file_of_measures_alone_is_prepared(desk: Desk) -> None:
    desk.write("a.csv", csv_of("POINT M (1 2 3)", "POINT M (4 5 6)"))

    outcome = desk.prepare("a.csv")

    assert [(chunk.rows, chunk.sql_path) for chunk in outcome.result.chunks] == [(2, True)]
    assert outcome.result.geometry_type == "PointM"


def test_bad_rows_below_the_threshold_are_dropped_and_listed(desk: Desk) -> None:
    good = "1,2,a\n" * 40
    desk.write("a.csv", "lat,lon,t\n" + good + "x,2,b\n1,2\n95,2,c\n" + "3,4,d\n")

    outcome = desk.prepare("a.csv")

    assert (outcome.result.rows_read, outcome.result.rows_prepared) == (44, 41)
    assert outcome.dropped == {
        "vector.coordinates_malformed": [41],
        "vector.row_malformed": [42],
        "vector.coordinates_out_of_range": [43],
    }
    assert outcome.column("source_fid")[-1] == 44
    messages = " ".join(reason.message for reason in outcome.result.dropped)
    assert "lat 'x', lon '2'" in messages
    assert "2 fields instead of 3: '1,2'" in messages
    assert "latitude 95 to 95" in messages


def test_ragged_rows_all_count_and_the_first_ten_are_shown(desk: Desk) -> None:
    rows = ["1,2,a" if number % 2 else f"1,{number}" for number in range(1, 31)]
    desk.write("a.csv", "lat,lon,t\n" + "\n".join(rows) + "\n")

    outcome = desk.prepare("a.csv", converter={"max_bad_rows_percent": 60})

    assert (outcome.result.rows_read, outcome.result.rows_prepared) == (30, 15)
    assert outcome.column("source_fid") == list(range(1, 31, 2))
    [reason] = outcome.result.dropped
    shown = [f"2 fields instead of 3: '1,{number}'" for number in range(2, 21, 2)]
    assert (reason.count, reason.feature_ids) == (15, list(range(2, 21, 2)))
    assert reason.message == f"Rows that cannot be read: {'; '.join(shown)}"


def test_half_of_the_rows_bad_is_refused_with_the_rows(desk: Desk) -> None:
    desk.write("a.csv", "lat,lon\n" + "1,2\nx,2\n" * 10)

    error = desk.refusal("a.csv")

    assert error.code.code == "vector.bad_rows"
    assert error.message.startswith("10 of 20 rows cannot be used, more than 10 %.")
    assert "(rows 2, 4, 6, 8, 10, 12, 14, 16, 18, 20)" in error.message
    assert desk.prepare("a.csv", converter={"max_bad_rows_percent": 50}).result.rows_prepared == 10


def test_a_header_alone_has_no_features(desk: Desk) -> None:
    desk.write("a.csv", "lat,lon\n")

    assert desk.refusal("a.csv").code.code == "vector.empty"


def test_equal_and_empty_names_are_kept_apart(desk: Desk) -> None:
    desk.write("a.csv", "lat,lon,a,A,a,\n1,2,3,4,5,6\n")

    outcome = desk.prepare("a.csv")

    assert [column.name for column in outcome.result.columns] == ["lat", "lon", "a", "a_3", "a_2", "column_6"]
    assert [outcome.column(name)[0] for name in ("a", "a_2", "a_3", "column_6")] == [3, 5, 4, 6]


def test_quoted_fields_may_hold_delimiters_lines_and_quotes(desk: Desk) -> None:
    desk.write("a.csv", 'lat,lon,t\n1,2,"a, ""b""\nc"\n3,4,\'; DROP TABLE x; --\n')

    assert desk.prepare("a.csv").column("t") == ['a, "b"\nc', "'; DROP TABLE x; --"]


def test_a_virtual_layer_named_csv_is_refused(desk: Desk) -> None:
    desk.write("secret.csv", "lat,lon\n1,2\n")
    desk.write("a.csv", VRT)

    error = desk.refusal("a.csv")

    assert error.code.code == "vector.external_reference"
    assert error.message == "a.csv is a GDAL virtual layer (VRT): it names other files"
