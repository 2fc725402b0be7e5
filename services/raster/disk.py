"""How much disk the making of a COG takes; imports no GDAL."""

import math
import shutil
from pathlib import Path
from typing import Final

from core.errors import TaskFailed
from services.raster.codes import DISK_FULL

# Room for GDAL's scratch files: the warped raster, its overviews and the COG itself.
_FACTOR: Final = 2.5


def require_disk(workspace: Path, source_bytes: int, output_bytes: int) -> None:
    """Refuse to begin what the disk cannot hold.

    Raises:
        TaskFailed: ``raster.disk_full``.
    """
    needed = required_disk(source_bytes, output_bytes)
    free = shutil.disk_usage(workspace).free
    if free < needed:
        raise TaskFailed(DISK_FULL, f"{needed} bytes are needed, {free} are free", needed=needed, free=free)


def required_disk(source_bytes: int, output_bytes: int) -> int:
    """Return what must be free before a COG is written, for a source that is not there yet."""
    return source_bytes + math.ceil(_FACTOR * output_bytes)
