"""Descriptions of published rasters, with what a test does not care about filled in."""

from datetime import UTC, datetime
from typing import Any

from services.stac.models import (
    Band,
    FileInfo,
    PaletteClass,
    ProcessingStep,
    Projection,
    Provenance,
    RasterAsset,
    RasterItem,
    SourceBlob,
    Statistics,
    StepFile,
)

STORE = "https://account.blob.core.windows.net"
CHECKSUM = "1220" + "ab" * 32
LAST_MODIFIED = datetime(2024, 3, 1, 12, tzinfo=UTC)
PROCESSED_AT = datetime(2024, 3, 2, 9, 30, tzinfo=UTC)


def band(name: str = "elevation", **fields: Any) -> Band:
    return Band.model_validate(
        {
            "name": name,
            "data_type": "float32",
            "nodata": -9999.0,
            "unit": "m",
            "statistics": Statistics(
                minimum=1.5, maximum=812.25, mean=300.0, stddev=90.5, valid_percent=98.5
            ),
        }
        | fields
    )


def projection(**fields: Any) -> Projection:
    return Projection.model_validate(
        {
            "code": "EPSG:32633",
            "shape": (512, 256),
            "transform": (10.0, 0.0, 500000.0, 0.0, -10.0, 5700000.0),
            "bbox": (500000.0, 5694880.0, 502560.0, 5700000.0),
        }
        | fields
    )


def raster_asset(**fields: Any) -> RasterAsset:
    return RasterAsset.model_validate(
        {
            "href": f"{STORE}/silver-cogs/dem/tile_17_cog.tif",
            "nbytes": 123456,
            "checksum": CHECKSUM,
            "title": "Elevation",
            "projection": projection(),
            "bands": (band(),),
            "gsd": 10.0,
        }
        | fields
    )


def provenance(**fields: Any) -> Provenance:
    steps = (
        ProcessingStep(
            name="create_cog",
            inputs=(StepFile(href=f"{STORE}/bronze-rasters/dem/tile%2017.tif"),),
            outputs=(StepFile(href=f"{STORE}/silver-cogs/dem/tile_17_cog.tif"),),
            parameters={"target_crs": "EPSG:32633", "output_tier": "analysis"},
            completed_at=PROCESSED_AT,
        ),
    )
    return Provenance.model_validate(
        {
            "job_id": "0" * 64,
            "job_type": "process_raster_v2",
            "software": {"GDAL": "3.10.3", "terrane": "0.1.0"},
            "processed_at": PROCESSED_AT,
            "lineage": "Written as a Cloud Optimized GeoTIFF.",
            "history": steps,
        }
        | fields
    )


def raster_item(**fields: Any) -> RasterItem:
    ring = [[15.0, 51.4], [15.04, 51.4], [15.04, 51.45], [15.0, 51.45], [15.0, 51.4]]
    return RasterItem.model_validate(
        {
            "collection_id": "system-rasters",
            "blob_name": "dem/tile_17_cog.tif",
            "title": "tile 17",
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "bbox": (15.0, 51.4, 15.04, 51.45),
            "assets": {"data": raster_asset()},
            "thumbnail": FileInfo(
                href=f"{STORE}/silver-cogs/dem/tile_17_thumbnail.png", nbytes=4096, checksum=CHECKSUM
            ),
            "source": SourceBlob(
                href=f"{STORE}/bronze-rasters/dem/tile%2017.tif",
                last_modified=LAST_MODIFIED,
                media_type="image/tiff",
            ),
            "provenance": provenance(),
        }
        | fields
    )


def palette_band() -> Band:
    classes = (
        PaletteClass(value=1, name="water", colour=(0, 0, 255)),
        PaletteClass(value=2, colour=(0, 128, 0)),
        PaletteClass(value=255, colour=(0, 0, 0), is_nodata=True),
    )
    return band("classes", data_type="uint8", nodata=255, unit=None, statistics=None, classes=classes)
