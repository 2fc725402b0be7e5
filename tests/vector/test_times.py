"""Times with zones, without, and with both in one column."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from tests.vector.desk import Desk, collection, feature

POINT = "POINT (1 2)"
ZONED, OTHER, NAIVE = "2020-01-01T10:00:00+02:00", "2020-01-01T10:00:00.250Z", "2020-01-01T10:00:00"
GPX = """<gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1">
<wpt lat="1" lon="2"><time>2020-01-01T10:00:00+02:00</time></wpt>
<wpt lat="1" lon="2"><time>2020-01-01T10:00:00Z</time></wpt><wpt lat="1" lon="2"></wpt></gpx>"""
KML = """<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><TimeStamp>
<when>2020-01-01T10:00:00+02:00</when></TimeStamp><Point><coordinates>1,2</coordinates></Point></Placemark>
<Placemark><TimeStamp><when>2020-01</when></TimeStamp><Point><coordinates>1,2</coordinates></Point></Placemark>
</Document></kml>"""


def test_times_of_different_zones_are_one_instant_each(desk: Desk) -> None:
    desk.write("a.geojson", collection(feature(POINT, t=ZONED), feature(POINT, t=OTHER)))

    outcome = desk.prepare("a.geojson")

    assert outcome.types["t"] == "timestamptz"
    assert outcome.column("t") == [
        datetime(2020, 1, 1, 8, tzinfo=UTC),
        datetime(2020, 1, 1, 10, 0, 0, 250_000, tzinfo=UTC),
    ]


def test_a_zone_among_times_without_is_told(desk: Desk) -> None:
    desk.write("a.geojson", collection(feature(POINT, t=NAIVE, z=ZONED), feature(POINT, t=ZONED, z=OTHER)))

    outcome = desk.prepare("a.geojson")

    assert outcome.types == {"t": "timestamp", "z": "timestamptz"}
    assert [value.isoformat() for value in outcome.column("t")] == [
        "2020-01-01T10:00:00",
        "2020-01-01T08:00:00",
    ]
    [finding] = [each for each in outcome.result.findings if each.code == "vector.values_changed"]
    assert finding.message == "1 values of 't' have a zone and became UTC without one"


def test_times_of_gpx_and_kml_are_instants_by_rule(desk: Desk) -> None:
    desk.write("a.gpx", GPX)
    desk.write("a.kml", KML)

    gpx, kml = desk.prepare("a.gpx"), desk.prepare("a.kml")

    assert gpx.types["f_time"] == kml.types["f_timestamp"] == "timestamptz"
    assert [value and value.isoformat() for value in gpx.column("f_time")] == [
        "2020-01-01T08:00:00+00:00",
        "2020-01-01T10:00:00+00:00",
        None,
    ]
    assert [value.isoformat() for value in kml.column("f_timestamp")] == [
        "2020-01-01T08:00:00+00:00",
        "2020-01-01T00:00:00+00:00",
    ]


def test_sequences_have_times_too(desk: Desk) -> None:
    desk.write("a.geojsonl", "\n".join(json.dumps(feature(POINT, t=text)) for text in (NAIVE, ZONED)))

    assert [value.isoformat() for value in desk.prepare("a.geojsonl").column("t")] == [
        "2020-01-01T10:00:00",
        "2020-01-01T08:00:00",
    ]


def test_zones_of_flatgeobuf_are_found_in_its_texts(desk: Desk) -> None:
    moment = datetime(2020, 1, 1, 10, tzinfo=UTC)
    columns = {
        "utc": pa.array([moment, None], pa.timestamp("ms", "UTC")),
        "east": pa.array([None, moment], pa.timestamp("ms", "+05:30")),
        "naive": pa.array([moment.replace(tzinfo=None), None], pa.timestamp("ms")),
        "nothing": pa.array([None, None], pa.timestamp("ms")),
    }
    desk.write_layer("a.fgb", [POINT] * 2, columns, driver="FlatGeobuf", geometry_type="Point")

    outcome = desk.prepare("a.fgb")

    zoned, naive = "timestamptz", "timestamp"
    assert outcome.types == {"utc": zoned, "east": zoned, "naive": naive, "nothing": naive}
    assert outcome.column("utc") == [moment, None]
    assert outcome.column("east") == [None, moment]
    assert outcome.column("naive") == [moment.replace(tzinfo=None), None]
    assert outcome.result.findings == []


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"TIME_IN_UTC": "NO"}, "timestamp"),
        ({"TIME_IN_UTC": "YES"}, "timestamptz"),
        ({"TARGET_ARCGIS_VERSION": "ARCGIS_PRO_3_2_OR_LATER"}, "timestamptz"),
    ],
    ids=["no_zone", "all_in_utc", "a_zone_each"],
)
def test_a_geodatabase_says_whether_its_times_have_a_zone(
    desk: Desk, options: dict[str, str], kind: str
) -> None:
    moment = datetime(2020, 1, 1, 10, tzinfo=UTC)
    east = pa.array([None, moment], pa.timestamp("ms", "+05:30"))
    columns = {"t": east if kind == "timestamptz" else pa.array([None, moment], pa.timestamp("ms", "UTC"))}
    desk.write_layer("a.gdb", [POINT] * 2, columns, driver="OpenFileGDB", geometry_type="Point", **options)
    desk.zip("a.zip", [desk.workspace / "a.gdb"])

    outcome = desk.prepare("a.zip")

    assert outcome.types == {"t": kind}
    assert outcome.column("t") == [None, moment if kind == "timestamptz" else moment.replace(tzinfo=None)]
    assert outcome.result.findings == []


def test_a_zone_among_times_of_flatgeobuf_without_is_told(desk: Desk) -> None:
    moments = pa.array([datetime(2020, 1, 1, 10, 0, 0, 250_000, tzinfo=UTC)] * 2, pa.timestamp("ms", "UTC"))
    path = desk.write_layer("a.fgb", [POINT] * 2, {"t": moments}, driver="FlatGeobuf", geometry_type="Point")
    path.write_bytes(path.read_bytes().replace(b"10:00:00.250Z", b"10:00:00.2500", 1))

    outcome = desk.prepare("a.fgb")

    assert outcome.types == {"t": "timestamp"}
    assert outcome.column("t") == [datetime(2020, 1, 1, 10, 0, 0, 250_000)] * 2  # noqa: DTZ001 - without a zone
    [finding] = outcome.result.findings
    assert finding.message == "1 values of 't' have a zone and became UTC without one"
