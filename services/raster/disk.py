"""How much disk the making of a COG takes; imports no GDAL."""

import math
import shutil
from pathlib import Path
from typing import Final

from core.errors import TaskFailed, TransientError
from services.raster.codes import DISK_FULL, DISK_TOO_SMALL

# Room for GDAL's scratch files: the warped raster, its overviews and the COG itself.
_FACTOR: Final = 2.5


def require_disk(workspace: Path, source_bytes: int, output_bytes: int) -> None:
    """Refuse to begin what the disk cannot hold.

    Raises:
        TransientError: Other tasks fill the disk (``raster.disk_full``); it passes when they end.
        TaskFailed: The disk is too small even when it is empty (``raster.disk_too_small``).
    """
    needed = required_disk(source_bytes, output_bytes)
    disk = shutil.disk_usage(workspace)
    if disk.total < needed:
        message = f"{needed} bytes are needed, the disk has {disk.total}"
        raise TaskFailed(DISK_TOO_SMALL, message, needed=needed, total=disk.total)
    if disk.free < needed:
        message = f"{needed} bytes are needed, {disk.free} are free"
        raise TransientError(DISK_FULL, message, needed=needed, free=disk.free)


def required_disk(source_bytes: int, output_bytes: int) -> int:
    """Return what must be free before a COG is written, for a source that is not there yet."""
    return source_bytes + math.ceil(_FACTOR * output_bytes)
