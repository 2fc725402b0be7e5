"""Task handlers and the pure functions below them; nothing that this module reaches imports GDAL."""

from core.registry import AnyHandler
from services.hello import say_greeting, say_reply

#: Every handler, by its own declaration.
ALL_HANDLERS: tuple[AnyHandler, ...] = (say_greeting, say_reply)
