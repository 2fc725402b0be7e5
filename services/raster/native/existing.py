"""Tell whether a source already is the COG asked for."""

from typing import Final

from rio_cogeo.cogeo import cog_validate

from services.raster.models import InspectRaster
from services.raster.native.grid import TargetGrid
from services.raster.native.source import Source
from services.raster.tiers import BLOCK_SIZE, TIERS, predictor

_PREDICTORS: Final = {"STANDARD": "2", "FLOATING_POINT": "3"}


def is_cog_asked_for(source: Source, request: InspectRaster, grid: TargetGrid) -> bool:
    """Tell whether copying the file gives what writing it anew would give."""
    dataset = source.dataset
    if request.output_tier == "all" or dataset.driver != "GTiff" or grid.reproject:
        return False
    told_otherwise = source.crs_source in ("input_crs", "sidecar") or request.nodata is not None
    if told_otherwise or source.georeferencing != "affine":
        return False
    structure = dataset.tags(ns="IMAGE_STRUCTURE")
    compression = TIERS[request.output_tier].compression
    lossless = TIERS[request.output_tier].lossless
    wanted_predictor = _PREDICTORS[predictor(source.dtype)]
    alike = (
        structure.get("LAYOUT") == "COG"
        and structure.get("COMPRESSION", "").endswith(compression)
        and all(shape == (BLOCK_SIZE, BLOCK_SIZE) for shape in dataset.block_shapes)
        and (not lossless or structure.get("PREDICTOR") == wanted_predictor)
    )
    return alike and passes_validation(dataset.name)


def passes_validation(path: str) -> bool:
    """Run rio-cogeo's validation, warnings counted as errors."""
    valid, errors, warnings = cog_validate(path, strict=True, quiet=True)
    return bool(valid) and not errors and not warnings
