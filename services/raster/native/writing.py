"""One COG in the making."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.raster.models import WriteCog
from services.raster.native.grid import TargetGrid
from services.raster.native.plan import Plan
from services.raster.native.source import Source
from services.raster.tiers import Resampling


@dataclass(frozen=True)
class Writing:
    """One COG in the making.

    Args:
        warp: Method of the reprojection.
        overview: Method of the overviews.
    """

    source: Source
    grid: TargetGrid
    plan: Plan
    request: WriteCog
    warp: Resampling
    overview: Resampling
    workspace: Path

    @property
    def output(self) -> Path:
        """Where the COG is written."""
        return self.workspace / self.request.output

    @property
    def nbytes(self) -> int:
        """Uncompressed size of the full resolution."""
        pixel_bytes = np.dtype(self.source.dtype).itemsize * (len(self.plan.bands) + self.plan.add_alpha)
        return self.grid.height * self.grid.width * pixel_bytes
