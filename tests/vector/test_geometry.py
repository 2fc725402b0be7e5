"""Geometries with the faults that people's files have."""

import json
from typing import Any

import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import pytest
import shapely

from services.vector.native.shapes import applied
from tests.vector.desk import BOWTIE, SQUARE, Desk, Outcome

SPIKE = "POLYGON ((0 0, 4 0, 4 4, 4 8, 4 4, 0 4, 0 0))"
OVERLAP = "MULTIPOLYGON (((0 0, 2 0, 2 2, 0 2, 0 0)), ((1 1, 3 1, 3 3, 1 3, 1 1)))"
HOLE_OUTSIDE = "POLYGON ((0 0, 1 0, 1 1, 0 1, 0 0), (5 5, 6 5, 6 6, 5 6, 5 5))"
CLOCKWISE = "POLYGON ((0 0, 0 1, 1 1, 1 0, 0 0))"
COLLAPSED = "POLYGON ((0 0, 1 0, 2 0, 0 0))"


def prepared(desk: Desk, *geometries: str | bytes | None, **options: Any) -> Outcome:
    crs = options.pop("crs", "EPSG:4326")
    desk.write_layer("a.gpkg", geometries, {"n": list(range(len(geometries)))}, driver="GPKG", crs=crs)
    return desk.prepare("a.gpkg", **options)


def shapes(outcome: Outcome) -> list[shapely.Geometry]:
    return list(shapely.from_wkb(outcome.table["geom"].to_numpy(zero_copy_only=False)))


@pytest.mark.parametrize(
    ("geometry", "area", "kind", "reason"),
    [
        (BOWTIE, 0.5, "MultiPolygon", "self_intersection"),
        (SPIKE, 16.0, "Polygon", "ring_self_intersection"),
        (OVERLAP, 7.0, "MultiPolygon", "self_intersection"),
        (HOLE_OUTSIDE, 2.0, "MultiPolygon", "hole_lies_outside_shell"),
    ],
)
def test_what_is_invalid_is_repaired_and_counted(
    desk: Desk, geometry: str, area: float, kind: str, reason: str
) -> None:
    outcome = prepared(desk, geometry, SQUARE)

    [repaired, untouched] = shapes(outcome)
    assert (repaired.is_valid, repaired.area, repaired.geom_type) == (True, pytest.approx(area), kind)
    assert outcome.result.repaired[reason] == 1
    assert shapely.to_wkt(untouched) == SQUARE


def test_what_collapses_is_dropped_and_named(desk: Desk) -> None:
    outcome = prepared(desk, SQUARE, COLLAPSED)

    assert outcome.dropped == {"vector.geometry_collapsed": [2]}


def test_rings_run_as_geojson_wants_them(desk: Desk) -> None:
    outcome = prepared(
        desk, CLOCKWISE, SQUARE, "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 2 1, 2 2, 1 2, 1 1))"
    )

    assert [shapely.is_ccw(shape.exterior) for shape in shapes(outcome)] == [True, True, True]
    assert not shapely.is_ccw(shapes(outcome)[2].interiors[0])
    assert outcome.result.repaired == {"ring_order": 2}


def test_the_direction_of_rings_far_from_the_origin_is_told_right(desk: Desk) -> None:
    tiny = shapely.transform(shapely.from_wkt([SQUARE, CLOCKWISE]), lambda xy: xy * 1e-3 + (2.6e6, 1.2e6))

    outcome = prepared(
        desk, *shapely.to_wkt(tiny, rounding_precision=6), crs="EPSG:2056", target_crs="EPSG:2056"
    )

    assert outcome.result.repaired == {"ring_order": 1}


def test_repeated_points_are_left_out_but_not_of_multipoints(desk: Desk) -> None:
    outcome = prepared(
        desk,
        "LINESTRING (0 0, 0 0, 1 1)",
        "MULTIPOINT ((0 0), (0 0))",
        "POLYGON ((0 0, 1 0, 1 0, 1 1, 0 0))",
    )

    assert outcome.wkt == [
        "LINESTRING (0 0, 1 1)",
        "MULTIPOINT ((0 0), (0 0))",
        "POLYGON ((0 0, 1 0, 1 1, 0 0))",
    ]
    assert outcome.result.repaired == {"repeated_points": 2}


def test_open_rings_are_closed(desk: Desk) -> None:
    unclosed = (
        bytes.fromhex("010300000001000000")
        + (3).to_bytes(4, "little")
        + np.array([0, 0, 1, 0, 1, 1], "<f8").tobytes()
    )

    outcome = prepared(desk, unclosed)

    assert outcome.wkt == ["POLYGON ((0 0, 1 0, 1 1, 0 0))"]
    assert outcome.result.repaired == {"ring_closed": 1}


@pytest.mark.parametrize("option", ["null", "empty"])
def test_null_and_empty_geometries_are_counted_and_kept_if_wanted(desk: Desk, option: str) -> None:
    geometry = None if option == "null" else "POLYGON EMPTY"

    dropped = prepared(desk, SQUARE, geometry, SQUARE)
    kept = desk.prepare("a.gpkg", geometry={option: "keep"})

    assert dropped.dropped == {f"vector.geometry_{option}": [2]}
    assert dropped.column("n") == [0, 2]
    assert kept.column("n") == [0, 1, 2]
    assert kept.wkt[1] == geometry
    assert kept.result.rows_prepared == 3


def test_coordinates_that_are_no_numbers_are_dropped(desk: Desk) -> None:
    infinite = shapely.to_wkb(shapely.points([np.inf], [1.0])[0])

    outcome = prepared(desk, *["POINT (1 2)"] * 20, infinite)

    assert outcome.dropped == {"vector.coordinates_not_finite": [21]}


def test_mixed_single_and_multi_are_of_one_type(desk: Desk) -> None:
    outcome = prepared(desk, SQUARE, OVERLAP)

    assert outcome.result.geometry_type == "MultiPolygon"


def test_two_dimensions_leave_heights_and_measures_out(desk: Desk) -> None:
    kept = prepared(desk, "POINT Z (1 2 3)", "POINT M (1 2 3)", "POINT ZM (1 2 3 4)")
    flat = desk.prepare("a.gpkg", dimensions="2d")

    assert kept.result.geometry_type == "PointZM"
    assert (flat.result.geometry_type, flat.wkt) == ("Point", ["POINT (1 2)"] * 3)
    assert not any(chunk.sql_path for chunk in flat.result.chunks)


def test_what_only_postgis_can_do_takes_the_sql_path(desk: Desk) -> None:
    curve = bytes.fromhex("010800000003000000") + np.array([0, 0, 1, 1, 2, 0], "<f8").tobytes()
    within = bytes.fromhex("010700000001000000") + curve

    outcome = prepared(desk, "LINESTRING (0 0, 1 1)", curve, within, crs="EPSG:3857")

    [fast, slow] = outcome.result.chunks
    assert (fast.rows, fast.sql_path, fast.source_srid) == (1, False, None)
    assert (slow.rows, slow.sql_path, slow.source_srid, slow.source_crs) == (2, True, 3857, "EPSG:3857")
    assert outcome.table["geom"].to_pylist()[1:] == [curve, within]
    assert outcome.result.geometry_type == "Geometry"


def test_rows_of_the_sql_path_count_for_the_extent(desk: Desk) -> None:
    curve = bytes.fromhex("010800000003000000") + np.array([10, 10, 11, 11, 12, 10], "<f8").tobytes()

    outcome = prepared(desk, "POINT (0 0)", curve, "POINT M (20 5 1)")

    assert outcome.result.bbox == pytest.approx((0, 0, 20, 11))


def test_reprojection_is_that_of_proj_with_easting_first(desk: Desk) -> None:
    outcome = prepared(desk, "POINT Z (500000 5400000 100)", "POINT (500000 5400000)", crs="EPSG:25832")

    x, y = pyproj.Transformer.from_crs(25832, 4326, always_xy=True).transform(500000, 5400000)
    first, second = shapes(outcome)
    assert (first.x, first.y, first.z) == pytest.approx((x, y, 100), abs=1e-12)
    assert (second.x, second.y) == pytest.approx((x, y), abs=1e-12)
    assert (outcome.result.source_crs, outcome.result.target_srid) == ("EPSG:25832", 4326)


def test_what_the_target_cannot_hold_is_dropped_by_name(desk: Desk) -> None:
    outcome = prepared(desk, *["POINT (1 2)"] * 20, "POINT (-170 -52)", target_crs="EPSG:3035")

    assert outcome.dropped == {"vector.not_reprojectable": [21]}
    assert "EPSG:3035 cannot hold it" in outcome.result.dropped[0].message


def test_latitudes_beyond_90_are_named(desk: Desk) -> None:
    outcome = prepared(desk, *["POINT (1 2)"] * 20, "POINT (1 91)")

    assert outcome.dropped == {"vector.coordinates_out_of_range": [21]}
    assert "latitude 91 to 91" in outcome.result.dropped[0].message


def test_latitudes_beyond_90_are_named_where_only_postgis_reads_the_rows(desk: Desk) -> None:
    good = [f"POINT M ({x} 50 1)" for x in range(20)]

    outcome = prepared(desk, *good[:10], "POINT M (400 99 1)", *good[10:])

    assert outcome.dropped == {"vector.coordinates_out_of_range": [11]}
    assert "longitude 400 to 400, latitude 99 to 99" in outcome.result.dropped[0].message
    assert (outcome.column("n"), outcome.result.bbox) == ([*range(10), *range(11, 21)], (0, 50, 19, 50))


JUMP = "POLYGON ((179 0, -179 0, -179 1, 179 1, 179 0))"


def test_a_polygon_that_jumps_is_split_if_wanted(desk: Desk) -> None:
    kept = prepared(desk, JUMP)
    split = desk.prepare("a.gpkg", geometry={"antimeridian": "split"})

    assert shapes(kept)[0].bounds == (-179, 0, 179, 1)
    [geometry] = shapes(split)
    assert geometry.geom_type == "MultiPolygon"
    assert sorted(part.bounds for part in geometry.geoms) == [(-180, 0, -179, 1), (179, 0, 180, 1)]
    assert split.result.repaired["split_at_antimeridian"] == 1
    assert kept.result.bbox == split.result.bbox == (179, 0, -179, 1)


@pytest.mark.parametrize(
    ("text", "kept", "split"),
    [
        ("LINESTRING M (179 0 1, -179 0 2)", "LineStringM", "MultiLineStringM"),
        ("CIRCULARSTRING (179 0, 180 1, 181 0)", "LineString", "MultiLineString"),
        ("LINESTRING M (17 0 1, 19 0 2)", "LineStringM", "LineStringM"),
        ("POINT M (179 0 1)", "PointM", "PointM"),
    ],
)
def test_lines_that_postgis_may_split_have_a_table_of_multi_lines(
    desk: Desk, text: str, kept: str, split: str
) -> None:
    desk.write("a.csv", f'shape,n\n"{text}",1\n')
    converter = {"wkt_column": "shape"}

    def typed(**options: Any) -> str:
        return desk.prepare(
            "a.csv", input_crs="EPSG:4326", converter=converter, **options
        ).result.geometry_type

    assert (typed(), typed(geometry={"antimeridian": "split"})) == (kept, split)


def test_a_world_of_features_has_the_box_of_the_world(desk: Desk) -> None:
    outcome = prepared(desk, *[f"POINT ({x} {y})" for x in range(-170, 180, 10) for y in (-60, 60)])

    assert outcome.result.bbox == (-170, -60, 170, 60)


def test_islands_on_both_sides_of_the_antimeridian_have_a_small_box(desk: Desk) -> None:
    outcome = prepared(desk, "POINT (178 -17)", "POINT (-179 -19)")

    assert outcome.result.bbox == (178, -19, -179, -17)
    footprint = outcome.result.footprint
    assert footprint is not None
    assert footprint["type"] == "MultiPolygon"
    assert (
        shapely.from_geojson(
            str(footprint).replace("'", '"').replace("(", "[").replace(")", "]").replace(",]", "]")
        ).area
        < 7
    )


def test_the_footprint_covers_every_geometry(desk: Desk) -> None:
    random = np.random.default_rng(3)
    circles = shapely.buffer(shapely.points(random.uniform(-60, 60, (200, 2))), random.uniform(0.01, 5, 200))

    outcome = prepared(desk, *shapely.to_wkt(circles, rounding_precision=-1))

    footprint = shapely.geometry.shape(outcome.result.footprint)
    assert shapely.covers(footprint.buffer(1e-6), circles).all()
    assert outcome.result.bbox == pytest.approx(tuple(shapely.total_bounds(circles)), abs=1e-6)


def test_simplified_and_rounded_geometries_stay_valid(desk: Desk) -> None:
    circle = shapely.to_wkt(shapely.Point(5, 5).buffer(1, quad_segs=64), rounding_precision=-1)

    simple = prepared(desk, circle, geometry={"simplify": {"tolerance": 0.1}})
    desk_rounded = desk.prepare("a.gpkg", geometry={"quantize": {"snap_to_grid": 0.1}})

    assert shapely.get_num_coordinates(shapes(simple)[0]) < 30
    [rounded] = shapes(desk_rounded)
    assert rounded.is_valid
    assert np.allclose(shapely.get_coordinates(rounded) * 10 % 1 % 0.999999, 0, atol=1e-6)


def test_what_rounding_leaves_nothing_of_is_dropped(desk: Desk) -> None:
    outcome = prepared(
        desk, SQUARE, "POLYGON ((0 0, 0.01 0, 0.01 0.01, 0 0))", geometry={"quantize": {"snap_to_grid": 0.5}}
    )

    assert outcome.dropped == {"vector.geometry_collapsed": [2]}


def test_the_books_balance_whatever_is_dropped(desk: Desk) -> None:
    geometries = [
        SQUARE,
        None,
        "POLYGON EMPTY",
        COLLAPSED,
        "POINT (1 2)",
        "POINT M (1 2 3)",
        "POINT (1 99)",
    ] * 30

    outcome = prepared(desk, *geometries, converter={"max_bad_rows_percent": 50})

    dropped = sum(reason.count for reason in outcome.result.dropped)
    assert outcome.result.rows_read == len(geometries) == outcome.result.rows_prepared + dropped
    assert (
        sum(chunk.rows for chunk in outcome.result.chunks)
        == outcome.result.rows_prepared
        == len(outcome.table)
    )
    assert all(len(reason.feature_ids) == 10 for reason in outcome.result.dropped)


def test_temporal_extents_are_those_of_the_rows(desk: Desk) -> None:
    columns = {
        "seen": pa.array([0, 86_400_000, None], pa.timestamp("ms", "UTC")),
        "day": pa.array([1, 2, 3], pa.date32()),
        "n": [1, 2, 3],
    }
    desk.write_layer("a.gpkg", ["POINT (1 2)"] * 3, columns, driver="GPKG")

    every = desk.prepare("a.gpkg", indexes={"temporal": ["seen", "day", "n"]}).result.temporal
    wanted = desk.prepare("a.gpkg", indexes={"temporal": ["day"]}).result.temporal

    assert [(each.column, each.start, each.end) for each in every] == [
        ("seen", "1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z"),
        ("day", "1970-01-02", "1970-01-04"),
    ]
    assert [each.column for each in wanted] == ["day"]


def test_years_that_no_reader_knows_become_null_and_are_told(desk: Desk) -> None:
    far = pa.array([0, 1_456_000_000_000_000, -99_000_000_000_000], pa.timestamp("ms", "UTC"))
    frame = geopandas.GeoDataFrame(geometry=shapely.from_wkt(["POINT (1 2)"] * 3), crs="EPSG:4326")
    table = pa.table(frame.to_arrow()).append_column("t", far)
    geo = {"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), desk.workspace / "a.parquet")

    outcome = desk.prepare("a.parquet")

    assert [value is None for value in outcome.column("t")] == [False, True, True]
    assert "vector.values_changed" in outcome.codes


def test_features_far_from_where_their_crs_is_used_are_told(desk: Desk) -> None:
    degrees_in_metres = prepared(desk, "POINT (8 50)", crs="EPSG:25832")

    [finding] = [each for each in degrees_in_metres.result.findings if "extent" in each.code]
    assert finding.code == "vector.extent_suspicious"
    assert "EPSG:25832 is made for Europe between 6" in finding.message
    assert "vector.extent_suspicious" not in prepared(desk, "POINT (500000 5400000)", crs="EPSG:25832").codes


def test_what_geos_cannot_do_for_one_geometry_it_still_does_for_the_others() -> None:
    def shifted(some: Any) -> Any:
        if any(shape.geom_type == "LineString" for shape in some):
            raise shapely.errors.GEOSException("no lines")
        return shapely.transform(some, lambda xy: xy + 1)

    made = applied(shifted, shapely.from_wkt(["POINT (1 2)", "LINESTRING (0 0, 1 1)", "POINT (3 4)"]))

    assert [shape and shapely.to_wkt(shape) for shape in made] == ["POINT (2 3)", None, "POINT (4 5)"]
