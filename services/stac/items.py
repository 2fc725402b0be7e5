"""The STAC item of a published raster."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from core.item_ids import item_id
from core.json import JsonObject, rfc3339, to_jsonable
from services.stac.models import (
    COG_MEDIA_TYPE,
    Acquisition,
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
)
from services.stac.versions import STAC_VERSION, used_extensions

#: `app:datetime_source` of an item whose data say nothing of their time.
SOURCE_LAST_MODIFIED: Final = "source_last_modified"


def build_raster_item(raster: RasterItem) -> JsonObject:
    """Return the item, to be stored as it is.

    The same description gives the same item. Links are those that need no address of the API:
    `collection`, relative to the item, and `derived_from`; the API adds `self`, `parent`, `root`
    and puts its own in the place of `collection`.

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
        "bbox": _finite(raster.bbox),
        "properties": _properties(raster),
        "links": _links(raster.collection_id, raster.source),
        "assets": _assets(raster),
    }
    item["stac_extensions"] = used_extensions(item)
    return item


def time_properties(acquired: Acquisition | None, source: SourceBlob) -> JsonObject:
    """Return the time of an item and where it comes from.

    The data's own time comes first; a range without a moment leaves `datetime` null; failing both
    it is the time at which the source was last modified.
    """
    if acquired is None:
        return {"datetime": rfc3339(source.last_modified), "app:datetime_source": SOURCE_LAST_MODIFIED}
    moment = rfc3339(acquired.datetime) if acquired.datetime else None
    times: JsonObject = {"datetime": moment, "app:datetime_source": acquired.source}
    if acquired.range:
        times |= dict(zip(("start_datetime", "end_datetime"), map(rfc3339, acquired.range), strict=True))
    return times


def _properties(raster: RasterItem) -> JsonObject:
    gsd = [asset.gsd for asset in raster.assets.values() if asset.gsd]
    properties = {
        **raster.properties,
        **time_properties(raster.acquired, raster.source),
        "title": raster.title,
        "description": raster.description,
        "gsd": min(gsd, default=None),
        "updated": rfc3339(raster.provenance.processed_at),
        **_provenance(raster.provenance),
        "renders": raster.renders or None,
    }
    return {"datetime": properties["datetime"]} | _present(properties)


def _provenance(provenance: Provenance) -> JsonObject:
    return {
        "app:job_id": provenance.job_id,
        "app:job_type": provenance.job_type,
        "app:created_by": "terrane",
        "app:processing_timestamp": rfc3339(provenance.processed_at),
        "processing:software": provenance.software or None,
        "processing:datetime": rfc3339(provenance.processed_at),
        "processing:lineage": provenance.lineage,
        "stac:processing_history": [_step(step) for step in provenance.history] or None,
    }


def _step(step: ProcessingStep) -> JsonObject:
    return _present(
        {
            "name": step.name,
            "description": step.description,
            "inputs": list(step.inputs),
            "outputs": list(step.outputs),
            "parameters": to_jsonable(step.parameters) or None,
            "completed_at": rfc3339(step.completed_at) if step.completed_at else None,
        }
    )


def _links(collection_id: str, source: SourceBlob) -> list[JsonObject]:
    derived_from = {
        "rel": "derived_from",
        "href": source.href,
        "type": source.media_type,
        "title": source.title,
    }
    collection = {"rel": "collection", "href": f"../../{collection_id}", "type": "application/json"}
    return [collection, _present(derived_from)]


def _assets(raster: RasterItem) -> JsonObject:
    assets = {key: _raster_asset(asset) for key, asset in raster.assets.items()}
    if raster.thumbnail:
        assets["thumbnail"] = {
            **_file(raster.thumbnail),
            "type": "image/png",
            "title": "Thumbnail",
            "roles": ["thumbnail"],
        }
    return assets


def _raster_asset(asset: RasterAsset) -> JsonObject:
    fields = {
        **_file(asset),
        "type": COG_MEDIA_TYPE,
        "title": asset.title,
        "description": asset.description,
        "roles": list(asset.roles),
        "gsd": asset.gsd,
        "bands": [_band(band) for band in asset.bands],
    }
    return _present(fields) | _projection(asset.projection)


def _file(file: FileInfo) -> JsonObject:
    return _present({"href": file.href, "file:size": file.nbytes, "file:checksum": file.checksum})


def _projection(projection: Projection) -> JsonObject:
    fields: JsonObject = {
        "proj:code": projection.code,
        "proj:shape": list(projection.shape),
        "proj:transform": _finite(projection.transform),
        "proj:bbox": _finite(projection.bbox),
    }
    # A code says it all and better; WKT stands in where there is none.
    return fields if projection.code else fields | {"proj:wkt2": projection.wkt2}


def _band(band: Band) -> JsonObject:
    return _present(
        {
            "name": band.name,
            "description": band.description,
            "data_type": band.data_type,
            "nodata": _nodata(band.nodata),
            "unit": band.unit,
            "statistics": _statistics(band.statistics),
            "raster:scale": _if_finite(band.scale),
            "raster:offset": _if_finite(band.offset),
            "eo:common_name": band.common_name,
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
    values = {name: _if_finite(value) for name, value in statistics.model_dump().items()}
    return _present(values) or None


def _class(entry: PaletteClass) -> JsonObject:
    colour = "".join(f"{part:02X}" for part in entry.colour) if entry.colour else None
    name = entry.name or f"class_{entry.value}".replace("-", "minus_")
    return _present(
        {
            "value": entry.value,
            "name": name,
            "title": entry.title,
            "color_hint": colour,
            "nodata": entry.is_nodata or None,
        }
    )


def _if_finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _finite(values: Iterable[float]) -> list[float]:
    numbers = list(values)
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"not finite: {numbers}")
    return numbers


def _present(fields: Mapping[str, Any]) -> JsonObject:
    return {name: value for name, value in fields.items() if value is not None}
