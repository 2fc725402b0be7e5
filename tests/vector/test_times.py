"""Times with zones, without, and with both in one column."""

import json
from datetime import UTC, datetime

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
