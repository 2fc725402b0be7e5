"""Grids of every kind come to lie where they belong."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.enums import MaskFlags
from rasterio.rpc import RPC
from rasterio.transform import Affine, from_origin
from rasterio.warp import transform

from tests.raster.factory import GEOGRAPHIC, RGB, UTM_ORIGIN, Desk, codes, dem, rgb


def bright_spot(size: int = 600, row: int = 150, column: int = 450) -> Any:
    """Return one band that is dark but for a square of 20 pixels around one place."""
    pixels = np.full((1, size, size), 10, np.int16)
    pixels += (np.arange(size) % 50).astype(np.int16)
    pixels[0, row - 10 : row + 10, column - 10 : column + 10] = 1000
    return pixels


def spot_lonlat(cog: Any) -> tuple[float, float]:
    """Return where the middle of the bright square lies."""
    rows, columns = np.nonzero(cog.read(1) > 900)
    x, y = cog.transform @ (columns.mean() + 0.5, rows.mean() + 0.5)
    return float(x), float(y)


ROTATED = UTM_ORIGIN @ Affine.rotation(30)


@pytest.mark.parametrize(
    ("kind", "affine"),
    [
        ("affine", UTM_ORIGIN),
        ("rotated", ROTATED),
        ("flipped", Affine(10, 0, 500_000, 0, 10, 5_590_000)),
        ("flipped", Affine(-10, 0, 506_000, 0, -10, 5_600_000)),
    ],
)
def test_a_warp_puts_every_grid_where_it_belongs(desk: Desk, kind: str, affine: Affine) -> None:
    desk.make(pixels=bright_spot(), transform=affine)
    x, y = affine @ (450, 150)
    [longitude], [latitude] = transform("EPSG:32633", "EPSG:4326", [x], [y])

    report = desk.inspect()
    desk.cog(raster_type="dem")

    with rasterio.open(desk.workspace / "cog.tif") as cog:
        assert spot_lonlat(cog) == pytest.approx((longitude, latitude), abs=2e-4)
        assert cog.transform.e < 0 < cog.transform.a
        assert (cog.transform.b, cog.transform.d) == (0, 0)
    assert report.georeferencing == kind


@pytest.mark.parametrize("affine", [ROTATED, Affine(10, 0, 500_000, 0, 10, 5_590_000)])
def test_a_grid_in_the_target_crs_is_kept_as_it_is(desk: Desk, affine: Affine) -> None:
    desk.make(pixels=bright_spot(), transform=affine)

    written = desk.cog(target_crs="EPSG:32633")

    with rasterio.open(desk.workspace / "cog.tif") as cog:
        assert cog.transform.almost_equals(affine)
        assert (cog.read() == bright_spot()).all()
    assert not written.reprojected


def control_points(count: int) -> tuple[GroundControlPoint, ...]:
    """Return points of a grid of 10 m whose origin is that of `UTM_ORIGIN`."""
    places = [(0, 0), (0, 600), (600, 0), (600, 600), (300, 300), (100, 400), (500, 200), (50, 50)]
    places += [(600, 300), (300, 600), (200, 200), (450, 100)]
    return tuple(
        GroundControlPoint(row, column, *(UTM_ORIGIN @ (column, row)), 0) for row, column in places[:count]
    )


@pytest.mark.parametrize(("count", "order"), [(3, "first"), (5, "first"), (6, "second"), (12, "second")])
def test_control_points_place_a_raster_by_the_order_that_they_allow(
    desk: Desk, count: int, order: str
) -> None:
    desk.make(pixels=bright_spot(), transform=None, gcps=control_points(count))
    [longitude], [latitude] = transform("EPSG:32633", "EPSG:4326", *zip(UTM_ORIGIN @ (450, 150), strict=True))

    report = desk.inspect()
    written = desk.cog(raster_type="dem")

    message = next(item.message for item in report.findings if item.code == "raster.gcps")
    with rasterio.open(desk.workspace / "cog.tif") as cog:
        assert spot_lonlat(cog) == pytest.approx((longitude, latitude), abs=2e-4)
        assert cog.gcps == ([], None)
    assert (report.georeferencing, report.gcp_count, report.crs) == ("gcps", count, "EPSG:32633")
    assert f"of {order} order" in message
    assert written.crs == "EPSG:4326"


def test_control_points_on_a_line_are_refused(desk: Desk) -> None:
    points = tuple(
        GroundControlPoint(k * 100, k * 100, *(UTM_ORIGIN @ (k * 100, k * 100)), 0) for k in range(5)
    )
    desk.make(pixels=bright_spot(), transform=None, gcps=points)

    error = desk.refusal()

    assert (error.code.code, "on one line" in error.message) == ("raster.gcps_too_few", True)


def test_six_control_points_on_two_lines_are_refused(desk: Desk) -> None:
    places = [(0, 0), (600, 600), (300, 300), (0, 600), (600, 0), (100, 500)]
    points = tuple(
        GroundControlPoint(row, column, *(UTM_ORIGIN @ (column, row)), 0) for row, column in places
    )
    desk.make(pixels=bright_spot(), transform=None, gcps=points)

    error = desk.refusal()

    assert (error.code.code, "two lines" in error.message) == ("raster.gcps_too_few", True)


def polynomials(height_scale: float = 100.0) -> RPC:
    """Return a sensor above 15 E, 50 N, seeing heights shifted along the columns."""

    def terms(**values: float) -> list[float]:
        names = ("one", "longitude", "latitude", "height")
        return [values.get(name, 0.0) for name in names] + [0.0] * 16

    return RPC(
        height_off=200.0, height_scale=height_scale,
        lat_off=50.0, lat_scale=0.03, long_off=15.0, long_scale=0.03,
        line_off=300.0, line_scale=300.0, samp_off=300.0, samp_scale=300.0,
        line_num_coeff=terms(latitude=-1), line_den_coeff=terms(one=1),
        samp_num_coeff=terms(longitude=1, height=0.1), samp_den_coeff=terms(one=1),
        err_bias=None, err_rand=None,
    )  # fmt: skip


@pytest.mark.parametrize(("height", "used"), [(None, 200.0), (200.0, 200.0), (300.0, 300.0)])
def test_rational_polynomials_are_used_at_the_height_that_is_given(
    desk: Desk, height: float | None, used: float
) -> None:
    desk.make(pixels=bright_spot(), transform=None, crs=None, rpcs=polynomials())
    # sample = 300 + 300 (longitude offset + 0.1 height offset), solved for the longitude
    longitude = 15.0 + 0.03 * ((450 - 300) / 300 - 0.1 * (used - 200) / 100)

    report = desk.inspect(rpc_height=height)
    desk.cog(raster_type="dem", rpc_height=height)

    message = next(item.message for item in report.findings if item.code == "raster.rpcs")
    with rasterio.open(desk.workspace / "cog.tif") as cog:
        assert spot_lonlat(cog) == pytest.approx((longitude, 50.015), abs=3e-4)
    assert f"{used:g} m" in message
    assert report.crs_source == "rpcs"


def test_the_origin_is_snapped_outward_to_a_multiple_of_the_resolution(desk: Desk) -> None:
    desk.make(pixels=dem(), transform=from_origin(500_003, 5_600_004, 10, 10))

    written = desk.cog(target_crs="EPSG:3857", resolution=20)

    a, _, west, _, e, north = written.transform
    assert (a, e) == (20, -20)
    assert west % 20 == north % 20 == 0
    xs, ys = transform("EPSG:32633", "EPSG:3857", [500_003, 507_003], [5_600_004, 5_593_004])
    assert written.bounds[0] <= min(xs)
    assert written.bounds[3] >= ys[0] - 20


def test_a_grid_that_already_has_the_resolution_is_not_resampled(desk: Desk) -> None:
    desk.make(pixels=dem())

    same = desk.cog(target_crs="EPSG:32633", resolution=10)
    coarser = desk.cog(target_crs="EPSG:32633", resolution=25)

    assert (same.reprojected, coarser.reprojected) == (False, True)
    assert coarser.transform[0] == 25


@pytest.mark.parametrize("target", ["ESRI:54009", "EPSG:3035", "+proj=laea +lat_0=50 +lon_0=15 +datum=WGS84"])
def test_any_crs_can_be_the_target(desk: Desk, target: str) -> None:
    desk.make(pixels=bright_spot())
    x, y = transform("EPSG:32633", target, *zip(UTM_ORIGIN @ (450, 150), strict=True))

    written = desk.cog(raster_type="dem", target_crs=target)

    with rasterio.open(desk.workspace / "cog.tif") as cog:
        assert spot_lonlat(cog) == pytest.approx((x[0], y[0]), abs=15)
        assert cog.crs == rasterio.CRS.from_string(target)
    assert written.crs == target or written.crs.startswith("PROJCRS")


def test_a_raster_across_the_antimeridian_stays_small_and_gets_two_footprints(desk: Desk) -> None:
    # Fiji, in zone 60: eastings of the 180th meridian are near 820,000 there.
    desk.make(pixels=dem(), crs="EPSG:32760", transform=from_origin(780_000, 8_020_000, 100, 100))

    report = desk.inspect()
    written = desk.cog()
    described = desk.describe()

    assert "raster.antimeridian" in codes(report.findings)
    assert written.width < 1500
    assert written.bounds[0] < 180 < written.bounds[2]
    west, south, east, north = described.bbox
    assert -180 < east < -179 < 179 < west < 180
    assert south < north
    assert described.geometry["type"] == "MultiPolygon"
    rings = [polygon[0] for polygon in described.geometry["coordinates"]]
    assert sorted({abs(x) for ring in rings for x, _ in ring if abs(x) == 180}) == [180]
    assert all(-180 <= x <= 180 and -90 <= y <= 90 for ring in rings for x, y in ring)
    assert all(_signed_area(ring) > 0 for ring in rings)


def test_longitudes_from_0_to_360_become_a_footprint_of_the_whole_earth(desk: Desk) -> None:
    desk.make(pixels=rgb(720)[:, :360], colours=RGB, crs="EPSG:4326", transform=from_origin(0, 90, 0.5, 0.5))

    written = desk.cog()
    described = desk.describe()

    assert not written.reprojected
    assert described.bbox == (-180, -90, 180, 90)
    assert described.geometry["type"] == "Polygon"


def test_a_raster_around_the_pole_has_a_footprint_that_holds_the_pole(desk: Desk) -> None:
    desk.make(pixels=dem(), crs="EPSG:3413", transform=from_origin(-350_000, 350_000, 1000, 1000))

    report = desk.inspect(target_crs="EPSG:3413")
    desk.cog(target_crs="EPSG:3413")
    described = desk.describe()

    assert "raster.pole" in codes(report.findings)
    assert described.bbox[0::2] == (-180, 180)
    assert described.bbox[3] == 90
    [ring] = described.geometry["coordinates"]
    assert _signed_area(ring) > 0
    assert {(-180, 90), (180, 90)} <= {tuple(position) for position in ring}


def test_the_footprint_of_a_projected_raster_follows_its_curved_edges(desk: Desk) -> None:
    # The northern edge bends southward on both sides of the zone's meridian, at 500 km east.
    wide = from_origin(200_000, 8_000_000, 1000, 1000)
    desk.make(pixels=dem(), transform=wide)
    [longitude], [latitude] = transform("EPSG:32633", "EPSG:4326", [500_000], [8_000_000])

    desk.cog(target_crs="EPSG:32633")
    ring = desk.describe().geometry["coordinates"][0]

    nearest = min(math.dist(position, (longitude, latitude)) for position in ring)
    assert nearest < 0.3
    assert max(y for _, y in ring) == pytest.approx(latitude, abs=1e-4)
    assert ring[0] == ring[-1]


def test_a_world_file_and_a_prj_file_place_a_raster_that_says_nothing(desk: Desk) -> None:
    desk.make(pixels=bright_spot(), crs=None, transform=None)
    (desk.workspace / "a.tfw").write_text("10\n0\n0\n-10\n500005\n5599995\n")
    wkt = rasterio.CRS.from_epsg(32633).to_wkt(version="WKT1_ESRI")
    (desk.workspace / "a.prj").write_text(wkt)

    report = desk.inspect(sidecars=["a.tfw", "a.prj"])

    assert report.transform == (10, 0, 500_000, 0, -10, 5_600_000)
    assert (report.crs, report.crs_source) == ("EPSG:32633", "sidecar")


def test_a_file_that_is_the_cog_asked_for_is_recognized(desk: Desk) -> None:
    desk.make(pixels=dem(), crs="EPSG:4326", transform=GEOGRAPHIC)
    desk.cog(output="b.tif")

    assert desk.inspect("b.tif").is_cog
    assert not desk.inspect("b.tif", output_tier="archive").is_cog
    assert not desk.inspect("b.tif", target_crs="EPSG:3857").is_cog
    assert not desk.inspect("b.tif", nodata=1).is_cog
    assert not desk.inspect("a.tif").is_cog


@pytest.mark.parametrize("driver", ["HFA", "PNG", "AAIGrid", "JP2OpenJPEG", "DTED"])
def test_every_format_on_the_list_is_published(desk: Desk, driver: str) -> None:
    name, pixels, options = {
        "HFA": ("a.img", rgb(300), {}),
        "PNG": ("a.png", rgb(300), {}),
        "AAIGrid": ("a.asc", dem(300), {}),
        "JP2OpenJPEG": ("a.jp2", rgb(300), {"QUALITY": "100", "REVERSIBLE": "YES"}),
        "DTED": ("a.dt0", dem(121, "int16"), {}),
    }[driver]
    # Where a cell of DTED is as wide as high: south of 50 degrees.
    origin = from_origin(15 - 0.5 / 120, 46 + 0.5 / 120, 1 / 120, 1 / 120)
    desk.make("source.tif", pixels=pixels, crs="EPSG:4326", transform=origin)
    with rasterio.open(desk.workspace / "source.tif") as source:
        rasterio.shutil.copy(source, str(desk.workspace / name), driver=driver, **options)
    sidecars = [
        path.name for path in desk.workspace.iterdir() if path.stem.startswith("a") and path.name != name
    ]

    written = desk.cog(name, sidecars=sidecars, target_crs="EPSG:4326")

    with rasterio.open(desk.workspace / "cog.tif") as cog:
        assert np.allclose(cog.read(), pixels, rtol=1e-4)
    assert written.transform == pytest.approx(tuple(origin)[:6], abs=1e-6)


def test_an_srtm_tile_is_placed_by_its_name(desk: Desk) -> None:
    heights = dem(1201, "int16")[0].astype(">i2")
    (desk.workspace / "N50E015.hgt").write_bytes(heights.tobytes())

    report = desk.inspect("N50E015.hgt")

    assert (report.driver, report.crs) == ("SRTMHGT", "EPSG:4326")
    assert report.bounds == pytest.approx((15, 50, 16, 51), abs=1e-3)


def test_alpha_from_the_source_is_alpha_after_the_warp(desk: Desk) -> None:
    alpha = np.full((1, 700, 700), 255, np.uint8)
    alpha[:, :, :300] = 0
    desk.make(pixels=np.concatenate([rgb(), alpha]), profile={"photometric": "RGB", "alpha": "YES"})

    written = desk.cog()

    with rasterio.open(desk.workspace / "cog.tif") as cog:
        assert cog.mask_flag_enums[0] == [MaskFlags.per_dataset, MaskFlags.alpha]
        assert 0.4 < (cog.read(4) == 0).mean() < 0.5
    assert (written.band_count, written.alpha_added) == (4, False)


def _signed_area(ring: list[list[float]]) -> float:
    pairs = itertools.pairwise(ring)
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)
