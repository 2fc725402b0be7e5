"""The STAC item of a published raster."""

import math

from core.item_ids import item_id
from core.json import JsonObject, to_jsonable
from services.stac.models import (
    COG_MEDIA_TYPE,
    Band,
    PaletteClass,
    Projection,
    RasterAsset,
    RasterItem,
    Statistics,
)
from services.stac.parts import (
    file_fields,
    finite,
    links,
    present,
    provenance_properties,
    thumbnail_asset,
    time_properties,
)
from services.stac.versions import STAC_VERSION, used_extensions


def build_raster_item(raster: RasterItem) -> JsonObject:
    """Return the item, to be stored as it is.

    The same description gives the same item.

    Raises:
        ValueError: A coordinate is not finite.
    """
    item: JsonObject = {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [],
        "id": raster.item_id or item_id(raster.collection_id, raster.blob_name),
        "collection": raster.collection_id,
        "geometry": to_jsonable(raster.geometry),
        "bbox": finite(raster.bbox),
        "properties": _properties(raster),
        "links": links(raster.collection_id, raster.source),
        "assets": _assets(raster),
    }
    item["stac_extensions"] = used_extensions(item)
    return item


def _properties(raster: RasterItem) -> JsonObject:
    gsd = [asset.gsd for asset in raster.assets.values() if asset.gsd]
    properties = {
        **raster.properties,
        **time_properties(raster.acquired, raster.source),
        "title": raster.title,
        "description": raster.description,
        "gsd": min(gsd, default=raster.properties.get("gsd")),
        **provenance_properties(raster.provenance),
        "renders": raster.renders or None,
    }
    return {"datetime": properties["datetime"]} | present(properties)


def _assets(raster: RasterItem) -> JsonObject:
    assets = {key: _raster_asset(asset) for key, asset in raster.assets.items()}
    if raster.thumbnail:
        assets["thumbnail"] = thumbnail_asset(raster.thumbnail)
    return assets


def _raster_asset(asset: RasterAsset) -> JsonObject:
    fields = {
        **file_fields(asset),
        "type": COG_MEDIA_TYPE,
        "title": asset.title,
        "description": asset.description,
        "roles": list(asset.roles),
        "gsd": asset.gsd,
        "bands": [_band(band) for band in asset.bands],
    }
    return present(fields) | _projection(asset.projection)


def _projection(projection: Projection) -> JsonObject:
    fields: JsonObject = {
        "proj:code": projection.code,
        "proj:shape": list(projection.shape),
        "proj:transform": finite(projection.transform),
        "proj:bbox": finite(projection.bbox),
    }
    # A code says it all and better; WKT stands in where there is none.
    return fields if projection.code else fields | {"proj:wkt2": projection.wkt2}


def _band(band: Band) -> JsonObject:
    return present(
        {
            "name": band.name,
            "description": band.description,
            "data_type": band.data_type,
            "nodata": _nodata(band.nodata),
            "unit": band.unit,
            "statistics": _statistics(band.statistics),
            "raster:scale": _iffinite(band.scale),
            "raster:offset": _iffinite(band.offset),
            "eo:common_name": band.common_name,
            "eo:center_wavelength": band.center_wavelength,
            "classification:classes": [_class(entry) for entry in band.classes] or None,
        }
    )


def _nodata(value: float | str | None) -> float | str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def _statistics(statistics: Statistics | None) -> JsonObject | None:
    if statistics is None:
        return None
    values = {name: _iffinite(value) for name, value in statistics.model_dump().items()}
    return present(values) or None


def _class(entry: PaletteClass) -> JsonObject:
    colour = "".join(f"{part:02X}" for part in entry.colour) if entry.colour else None
    name = entry.name or f"class_{entry.value}".replace("-", "minus_")
    return present(
        {
            "value": entry.value,
            "name": name,
            "title": entry.title,
            "color_hint": colour,
            "nodata": entry.is_nodata or None,
        }
    )


def _iffinite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
