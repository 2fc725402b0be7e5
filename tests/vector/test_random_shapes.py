"""Random shapes, most of them faulty, with random options: what must hold of every outcome."""

from typing import Any

import numpy as np
import pytest
import shapely

from services.vector.wkb import conform, headers
from tests.vector.desk import Desk, Outcome

# CRS, size of the grid on which corners lie, and where it begins.
PLACES = [
    ("EPSG:4326", 1.0, (-10, 40)),
    ("EPSG:4326", 20.0, (-190, -10)),
    ("EPSG:4326", 12.0, (60, -85)),
    ("EPSG:25832", 1000.0, (4e5, 5e6)),
    ("EPSG:3857", 0.001, (2e6, 3e6)),
]


def random_shape(random: np.random.Generator, size: float) -> Any:
    def corners(least: int, most: int) -> Any:
        return random.integers(0, 20, (random.integers(least, most), 2)) * size

    def polygon() -> Any:
        holes = [corners(3, 4) for _ in range(random.integers(0, 2))]
        return shapely.Polygon(corners(3, 9), holes)

    makers = [
        lambda: shapely.Point(corners(1, 2)[0]),
        lambda: shapely.LineString(corners(2, 6)),
        polygon,
        polygon,
        lambda: shapely.MultiPolygon([polygon() for _ in range(random.integers(1, 4))]),
        lambda: shapely.MultiLineString([corners(2, 4), corners(2, 4)]),
        lambda: shapely.GeometryCollection([polygon(), shapely.Point(size, size)]),
        lambda: None,
    ]
    shape = makers[random.integers(0, len(makers))]()
    return shapely.force_3d(shape, 7.0) if shape is not None and random.random() < 0.2 else shape


def random_options(random: np.random.Generator, size: float) -> dict[str, Any]:
    geometry: dict[str, Any] = {
        "null": ["keep", "drop"][random.integers(0, 2)],
        "antimeridian": ["keep", "split"][random.integers(0, 2)],
    }
    if random.random() < 0.3:
        geometry["simplify"] = {"tolerance": size, "preserve_topology": bool(random.random() < 0.5)}
    if random.random() < 0.3:
        geometry["quantize"] = {"snap_to_grid": size / 2}
    return {"geometry": geometry, "dimensions": ["keep", "2d"][random.integers(0, 2)]}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("seed", range(8))
def test_every_outcome_is_valid_in_order_and_of_one_type(
    desk: Desk, seed: int, place: tuple[str, float, tuple[float, float]]
) -> None:
    crs, size, origin = place
    random = np.random.default_rng(seed)
    shapes = [random_shape(random, size) for _ in range(80)]
    wkb = [shape and shapely.to_wkb(_moved(shape, origin), flavor="iso") for shape in shapes]
    desk.write_layer("a.gpkg", wkb, {"n": list(range(80))}, driver="GPKG", crs=crs)

    outcome = desk.prepare("a.gpkg", converter={"max_bad_rows_percent": 100}, **random_options(random, size))

    assert_sound(outcome)
    dropped = sum(reason.count for reason in outcome.result.dropped)
    assert outcome.result.rows_read == 80 == outcome.result.rows_prepared + dropped


def assert_sound(outcome: Outcome) -> None:
    assert outcome.column("source_fid") == sorted(outcome.column("source_fid"))
    assert [fid - 1 for fid in outcome.column("source_fid")] == outcome.column("n")
    kind = outcome.result.geometry_type
    fitted = conform(outcome.table["geom"].combine_chunks(), kind)
    fitted.validate(full=True)
    shapes = shapely.from_wkb(fitted.drop_null().to_numpy(zero_copy_only=False))
    assert shapely.is_valid(shapes).all()
    found = headers(fitted.drop_null())
    assert (found.has_z == kind.endswith("Z")).all()
    if not kind.startswith("Geometry"):
        assert {shape.geom_type for shape in shapes} == {kind.removesuffix("Z")}


def _moved(shape: Any, origin: tuple[float, float]) -> Any:
    coordinates = shapely.get_coordinates(shape, include_z=shape.has_z)
    coordinates[:, :2] += origin
    return shapely.set_coordinates(np.array([shape]), coordinates)[0]
