"""A map of a loaded table: sampled from the database, drawn in a child, published beside the item."""

import math
import struct
from pathlib import Path

from core.checksums import multihash
from core.handler import TaskContext
from core.models.tables import TableName
from core.ports.blobs import BlobRef, WriteOptions
from services.stac.models import FileInfo
from services.vector.models import Bounds
from services.vector.published_item import Place
from services.vector.thumbnail_models import DrawThumbnail, ThumbnailDrawn

_SIZE = 512
# More would cover one another on so few pixels.
_MOST_GEOMETRIES = 20_000
_SAMPLE = "sample.wkb"


def draw_thumbnail(context: TaskContext, staged: TableName, place: Place) -> Path:
    """Draw a table; it may be indexed meanwhile."""
    bounds = place.native_bbox or _unwrapped(place.bbox)
    pixel = max(bounds[2] - bounds[0], bounds[3] - bounds[1]) / _SIZE
    _write_sample(context, staged, pixel / 2)
    drawn = context.isolated(
        "services.vector.native.thumbnail:draw_thumbnail",
        DrawThumbnail(
            path=_SAMPLE,
            bounds=bounds,
            squeeze=_squeeze(bounds),
            size=_SIZE,
            wrapped=place.native_bbox is None,
        ),
        ThumbnailDrawn,
        kind="vector",
    )
    return context.workspace / drawn.path


def publish_thumbnail(context: TaskContext, picture: Path, target: BlobRef) -> FileInfo:
    """Write a picture to its published place."""
    checksum = multihash(picture)
    blob = context.publish_blob(picture, target, WriteOptions(content_type="image/png"), checksum=checksum)
    return FileInfo(href=blob.url, nbytes=blob.nbytes, checksum=checksum)


def _write_sample(context: TaskContext, staged: TableName, tolerance: float) -> None:
    path: Path = context.workspace / _SAMPLE
    with path.open("wb") as file:
        for wkb in context.tables.sample_geometries(staged, _MOST_GEOMETRIES, tolerance):
            file.write(struct.pack("<I", len(wkb)) + wkb)


def _unwrapped(bbox: Bounds) -> Bounds:
    west, south, east, north = bbox
    return west, south, east + 360 if west > east else east, north


def _squeeze(bounds: Bounds) -> float:
    """Return how much shorter a degree of longitude is than one of latitude; 1 where these are no degrees."""
    west, south, east, north = bounds
    if max(abs(south), abs(north)) > 90 or max(abs(west), abs(east)) > 360:
        return 1.0
    return max(0.3, math.cos(math.radians((south + north) / 2)))
