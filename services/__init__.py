"""Task handlers and the pure functions below them; nothing that this module reaches imports GDAL."""

from core.registry import AnyHandler
from services.hello import say_greeting, say_reply
from services.raster.create_cog import create_cog
from services.raster.extract_stac_metadata import extract_stac_metadata
from services.raster.validate_raster import validate_raster

#: Every handler, by its own declaration.
ALL_HANDLERS: tuple[AnyHandler, ...] = (
    say_greeting,
    say_reply,
    validate_raster,
    create_cog,
    extract_stac_metadata,
)
