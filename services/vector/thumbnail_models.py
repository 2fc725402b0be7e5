"""What crosses the pipe between the handler that publishes a table and the child that draws it."""

from services.vector.models import Model


class DrawThumbnail(Model):
    """Draw a map of geometries.

    Args:
        path: File in the workspace: WKB after WKB, each behind its length as a little-endian uint32.
        bounds: West, south, east, north of the map in the geometries' CRS.
        squeeze: How long a unit along x is on the ground, in units along y.
        size: Most pixels along either side.
        wrapped: Whether the bounds cross the antimeridian, east being beyond 180.
        output: PNG to write.
    """

    path: str
    bounds: tuple[float, float, float, float]
    squeeze: float = 1.0
    size: int = 512
    wrapped: bool = False
    output: str = "thumbnail.png"


class ThumbnailDrawn(Model):
    """A map, as a file in the workspace."""

    path: str
    height: int
    width: int
