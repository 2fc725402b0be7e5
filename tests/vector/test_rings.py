"""A ring that is seen to be a star is valid, whatever it looks like."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely

from services.vector.native.coordinates import WkbCoordinates
from services.vector.native.rings import look_at_rings
from services.vector.wkb import headers
from tests.vector.desk import BOWTIE, SQUARE


def are_stars(shapes: Any) -> list[bool]:
    """Return which polygons of one ring each are seen to be stars, in their order."""
    wkb = pa.array(shapely.to_wkb(shapes, byte_order=1, flavor="iso"), pa.binary())
    coordinates = WkbCoordinates(wkb, headers(wkb))
    first, x, y = coordinates.first, coordinates.x, coordinates.y
    smallest, largest = np.minimum.reduceat, np.maximum.reduceat
    boxes = np.stack([smallest(x, first), smallest(y, first), largest(x, first), largest(y, first)], axis=1)
    rings = look_at_rings(coordinates, x, y, boxes)
    stars = np.zeros(len(shapes), np.bool_)
    stars[coordinates.runs.owner] = rings.is_star
    found: list[bool] = stars.tolist()
    return found


def around(angles: Any, radii: Any) -> Any:
    points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    return shapely.Polygon(np.concatenate([points, points[:1]]))


PENTAGRAM = around(np.arange(5) * 4 * np.pi / 5, np.ones(5))
TWICE_AROUND = around(np.arange(12) * 4 * np.pi / 12 + 0.01, np.linspace(1, 2, 12))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (shapely.from_wkt(SQUARE), True),
        (shapely.from_wkt(SQUARE).reverse(), False),
        (shapely.orient_polygons(shapely.Point(5e6, 5e6).buffer(1e-3)), True),
        (shapely.from_wkt(BOWTIE), False),
        (PENTAGRAM, False),
        (TWICE_AROUND, False),
        (shapely.from_wkt("POLYGON ((0 0, 1 0, 1 0, 1 1, 0 0))"), False),
        (shapely.from_wkt("POLYGON ((0 0, 1 0, 2 0, 0 0))"), False),
        (shapely.from_wkt("POLYGON ((0 0, 9 0, 9 1, 1 1, 1 9, 0 9, 0 0))"), False),
    ],
)
def test_a_star_is_a_ring_around_its_middle(shape: Any, *, expected: bool) -> None:
    assert are_stars(np.array([shape])) == [expected]


@pytest.mark.parametrize("grid", [0.0, 0.25])
@pytest.mark.parametrize("place", [0.0, 1e7])
def test_what_is_seen_to_be_a_star_is_valid_to_geos(grid: float, place: float) -> None:
    random = np.random.default_rng(5)
    shapes = []
    for _ in range(3_000):
        count = random.integers(3, 12)
        angles = np.sort(random.uniform(0, 2 * np.pi, count))
        if random.random() < 0.3:
            random.shuffle(angles)
        points = shapely.get_coordinates(around(angles, random.uniform(0.2, 2, count)))
        points = (np.round(points / grid) * grid if grid else points) + place
        shapes.append(shapely.Polygon(points))
    stars = np.array(are_stars(np.array(shapes)))

    assert shapely.is_valid(np.array(shapes)[stars]).all()
    assert 300 < stars.sum() < 2_700
