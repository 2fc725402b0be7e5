"""The map of a table, drawn without a library for pictures."""

import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from core.isolation import Child
from services.vector.native.thumbnail import Canvas, draw_thumbnail, png
from services.vector.thumbnail_models import DrawThumbnail, ThumbnailDrawn

SQUARE = (0.0, 0.0, 100.0, 100.0)


def drawn(*geometries: Any, bounds: tuple[float, float, float, float] = SQUARE) -> Any:
    canvas = Canvas(bounds, 1.0, 106)
    canvas.draw(np.array(geometries, dtype=object))
    return canvas.rgba()


def alpha(pixels: Any, x: float, y: float) -> int:
    """Return how much covers a place of `SQUARE`; the margin is three pixels."""
    return int(pixels[round(102 - y), round(3 + x), 3])


def unpacked(content: bytes) -> Any:
    """Read a PNG as its standard says, and return its pixels."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        data = content[at + 8 : at + 8 + length]
        [checksum] = struct.unpack(">I", content[at + 8 + length : at + 12 + length])
        assert zlib.crc32(kind + data) == checksum
        chunks[kind], at = data, at + 12 + length
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [8, 6, 0, 0, 0]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + 4 * width)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 4)


def draw(folder: Path, geometries: list[Any], **fields: Any) -> tuple[ThumbnailDrawn, Any]:
    with (folder / "sample.wkb").open("wb") as file:
        for wkb in shapely.to_wkb(np.array(geometries, dtype=object)):
            file.write(struct.pack("<I", len(wkb)) + wkb)
    request = DrawThumbnail.model_validate({"path": "sample.wkb", "bounds": SQUARE, "size": 106} | fields)
    result = draw_thumbnail(request, Child(folder))
    return result, unpacked((folder / result.path).read_bytes())


def test_areas_are_filled_and_holes_are_not() -> None:
    ring = shapely.Polygon(
        [(10, 10), (90, 10), (90, 90), (10, 90)], [[(40, 40), (60, 40), (60, 60), (40, 60)]]
    )

    pixels = drawn(ring)

    assert alpha(pixels, 25, 25) > 200
    assert alpha(pixels, 50, 50) == 0
    assert alpha(pixels, 3, 3) == 0


def test_a_hole_that_another_area_covers_is_filled() -> None:
    ring = shapely.Polygon(
        [(10, 10), (90, 10), (90, 90), (10, 90)], [[(40, 40), (60, 40), (60, 60), (40, 60)]]
    )

    pixels = drawn(ring, shapely.box(30, 30, 70, 70))

    assert alpha(pixels, 50, 50) > 200


@pytest.mark.parametrize("way", [1, -1])
def test_the_direction_of_a_ring_does_not_matter(way: int) -> None:
    ring = [(10, 10), (90, 10), (90, 90), (10, 90)][::way]

    assert alpha(drawn(shapely.Polygon(ring)), 50, 50) > 200


def test_lines_points_and_collections_are_seen() -> None:
    collection = shapely.GeometryCollection(
        [shapely.LineString([(0, 20), (100, 20)]), shapely.GeometryCollection([shapely.Point(50, 80)])]
    )

    pixels = drawn(collection)

    assert alpha(pixels, 30, 20) > 60
    assert alpha(pixels, 50, 80) > 200
    assert alpha(pixels, 50, 50) == 0


def test_long_edges_of_many_features_take_little_memory() -> None:
    canvas = Canvas((0, 0, 1, 1), 1.0, 512)
    shapes = np.array([shapely.box(0, 0, 1, 1), shapely.LineString([(0, 0), (1, 1)])] * 2_500)
    tracemalloc.start()
    try:
        canvas.draw(shapes)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 200 * 2**20


def test_one_point_without_extent_is_a_picture() -> None:
    pixels = drawn(shapely.Point(7, 7), bounds=(7, 7, 7, 7))

    assert pixels[..., 3].max() == 255


def test_the_file_is_a_png_in_the_proportions_of_the_land(tmp_path: Path) -> None:
    result, pixels = draw(tmp_path, [shapely.box(0, 0, 100, 50)], bounds=(0, 0, 100, 50), squeeze=0.5)

    assert (result.width, result.height) == (106, 106)
    assert pixels.shape == (106, 106, 4)
    assert pixels[53, 53, 3] > 200


def test_what_crosses_the_antimeridian_is_drawn_in_one_piece(tmp_path: Path) -> None:
    east, west = shapely.box(175, 0, 180, 10), shapely.box(-180, 0, -175, 10)

    _, pixels = draw(tmp_path, [east, west], bounds=(175, 0, 185, 10), wrapped=True)

    assert (pixels[53, 10:96, 3] > 200).all()


def test_what_is_no_wkb_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "sample.wkb").write_bytes(struct.pack("<I", 3) + b"abc")

    draw_thumbnail(DrawThumbnail(path="sample.wkb", bounds=SQUARE), Child(tmp_path))

    assert not unpacked((tmp_path / "thumbnail.png").read_bytes())[..., 3].any()


def test_a_picture_is_packed_as_it_is() -> None:
    pixels = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)

    assert (unpacked(png(pixels)) == pixels).all()
