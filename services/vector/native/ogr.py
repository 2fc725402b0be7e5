"""Read through OGR: Arrow batches of the layers that are wanted."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyogrio
from numpy.typing import NDArray
from pyogrio.raw import open_arrow

from core.errors import TaskFailed
from services.findings import Findings
from services.vector.codes import LAYERS_DIFFER, TRUNCATED
from services.vector.datasets import Dataset
from services.vector.geojson import crs_member
from services.vector.models import Driver, LayerSummary
from services.vector.native.crs import OwnCrs, means_degrees
from services.vector.native.dbf import DbfDates
from services.vector.native.geopackage import GeoPackageColumns, Table
from services.vector.native.ledger import Ledger
from services.vector.native.misfits import StoredColumns
from services.vector.native.ogr_errors import OgrReports
from services.vector.native.ogr_layers import EVERY, choose_layers
from services.vector.native.source import Batch, Field, wider
from services.vector.native.times import WITH_ZONE, WITHOUT_ZONE, TextTimes, zoned_columns

# Cells and bytes a batch: what shapely makes of it is several times as large.
_CELLS: Final = 4_000_000
_MOST_ROWS: Final = 16_000
_BATCH_NBYTES: Final = 16 * 1024 * 1024
# Formats whose standard fixes the CRS, and those that may name another one nevertheless.
_FIXED_CRS: Final[frozenset[Driver]] = frozenset({"GPX", "LIBKML", "TopoJSON"})
_USUAL_CRS: Final[frozenset[Driver]] = frozenset({"GeoJSON", "GeoJSONSeq"})
_DEGREES: Final = (None, "EPSG:4326", "EPSG:4979")
# Opening one of these reads all of it, so that it is done once.
_COSTLY: Final[frozenset[Driver]] = frozenset({"GeoJSON", "GeoJSONSeq"})
# Formats that say how many features they have, and end early without a word.
_COUNTED: Final[frozenset[Driver]] = frozenset({"FlatGeobuf", "OpenFileGDB"})
# With feature ids asked for, they come first; a field may have the same name.
_FID_PLACE: Final = 0
# Formats in which every time of a column may have a zone of its own, and those that mean UTC.
_OWN_ZONES: Final[frozenset[Driver]] = frozenset(
    {"FlatGeobuf", "GeoJSON", "GeoJSONSeq", "GPX", "LIBKML", "OpenFileGDB"}
)
_UTC_BY_RULE: Final[frozenset[Driver]] = frozenset({"GPX", "LIBKML"})
# Formats whose fields of time say nothing of zones, though every time may have one.
_ZONES_IN_TEXTS: Final[frozenset[Driver]] = frozenset({"FlatGeobuf", "OpenFileGDB"})

pyogrio.set_gdal_config_options({"OGR_ARROW_MEM_LIMIT": str(_BATCH_NBYTES), "GPX_ELE_AS_25D": "YES"})


@dataclass(frozen=True)
class _Layer:
    """A layer and where in its batches things stand.

    Args:
        places: Position by field name.
        stored: Of a table whose values may be of other types than their columns.
    """

    summary: LayerSummary
    crs: str | None
    fields: list[Field]
    places: dict[str, int]
    geometry: int
    stored: StoredColumns | None


class OgrSource:
    """`services.vector.native.source.Source` for what OGR reads.

    Args:
        dataset: What to open.
        ledger: Gets the rows that are read.
        findings: Gets what the reader warns of.
        opened: Closes at the end what is left open until then.
        layer: Name, ``*`` or None.
        encoding: Of text that does not name its own.
    """

    def __init__(
        self,
        dataset: Dataset,
        ledger: Ledger,
        findings: Findings,
        opened: ExitStack,
        layer: str | None = None,
        encoding: str | None = None,
    ) -> None:
        self._dataset = dataset
        self._ledger = ledger
        self._opened = opened
        self._encoding = encoding
        self._findings = findings
        self._reports = OgrReports(dataset, findings)
        self._times: dict[str, TextTimes] = {}
        self._ready: pa.RecordBatchReader | None = None
        self._merged = "folder" if dataset.driver == "LIBKML" else "layer"
        with self._reports.reading():
            self._layers = self._described(layer)
        self._is_merged = len(self._layers) > 1
        self._fields = _merged_fields(self._layers)

    @property
    def layers(self) -> list[LayerSummary]:
        """Return the layers that will be read."""
        return [layer.summary for layer in self._layers]

    @property
    def fields(self) -> list[Field]:
        """Return the attributes of all layers."""
        extra = [Field(self._merged, pa.string())] if self._is_merged else []
        return extra + self._fields

    @property
    def crs(self) -> OwnCrs:
        """Return the CRS, of the first layer if there are several."""
        crs, driver = self._layers[0].crs, self._dataset.driver
        if driver in _FIXED_CRS:
            return OwnCrs("EPSG:4326", "format")
        if driver not in _USUAL_CRS or crs not in _DEGREES:
            return OwnCrs(crs)
        named = crs_member(self._dataset.path) if driver == "GeoJSON" else None
        return OwnCrs(crs, "format") if named is None or means_degrees(named) else OwnCrs(named)

    def batches(self) -> Iterator[Batch]:
        """Read every layer, one after the other."""
        for layer in self._layers:
            with ExitStack() as opened:
                if self._ready is not None:
                    reader, self._ready = self._ready, None
                else:
                    with self._reports.reading():
                        _, reader = opened.enter_context(self._open(layer.summary.name, len(layer.fields)))
                yield from self._layer_batches(layer, reader)
        for times in self._times.values():
            times.report(self._findings)

    def _layer_batches(self, layer: _Layer, reader: pa.RecordBatchReader) -> Iterator[Batch]:
        rows = 0
        while True:
            with self._reports.reading():
                batch = next(reader, None)
            if batch is None:
                break
            rows += len(batch)
            self._ledger.read += len(batch)
            yield self._as_batch(batch, layer)
        self._refuse_missing(layer, rows)
        if layer.stored is not None:
            layer.stored.report(self._findings)

    def _refuse_missing(self, layer: _Layer, rows: int) -> None:
        """Refuse a layer that ends before all the features that it announces."""
        announced = layer.summary.rows or 0
        if self._dataset.driver in _COUNTED and rows < announced:
            name = self._dataset.path.name
            raise TaskFailed(
                TRUNCATED, f"{name} announces {announced:,} features and has {rows:,}", file=name
            )

    def _as_batch(self, batch: pa.RecordBatch, layer: _Layer) -> Batch:
        fids = batch.column(_FID_PLACE).to_numpy(zero_copy_only=False).astype(np.int64)
        attributes = [self._column(batch, layer, field, fids) for field in self._fields]
        if self._is_merged:
            attributes.insert(0, pa.repeat(pa.scalar(layer.summary.name, pa.string()), len(batch)))
        geometries = batch.column(layer.geometry)
        if isinstance(geometries.type, pa.BaseExtensionType):
            geometries = geometries.storage
        return Batch(
            fids=fids,
            geometries=geometries.cast(pa.binary()),
            attributes=attributes,
        )

    def _column(
        self, batch: pa.RecordBatch, layer: _Layer, field: Field, fids: NDArray[np.int64]
    ) -> pa.Array:
        place = layer.places.get(field.name)
        if place is None:
            return pa.nulls(len(batch), field.type)
        values = batch.column(place)
        if isinstance(values.type, pa.BaseExtensionType):
            values = values.storage
        if layer.stored is not None:
            values = layer.stored.fitting(field.name, values, fids)
        if field.name in self._times and pa.types.is_string(values.type) and field.type != pa.string():
            return self._times[field.name].parse(values)
        return values if values.type == field.type else values.cast(field.type)

    def _described(self, wanted: str | None) -> list[_Layer]:
        if self._dataset.driver in _COSTLY and wanted in (None, EVERY):
            return [self._describe(None, self._opened)]
        chosen = choose_layers(self._dataset, wanted, self._encoding)
        if len(chosen) == 1:
            return [self._describe(chosen[0], self._opened)]
        layers = []
        for summary in chosen:
            with ExitStack() as opened:
                layers.append(self._describe(summary, opened))
        self._ready = None
        _refuse_other_crs(layers)
        return layers

    def _describe(self, summary: LayerSummary | None, opened: ExitStack) -> _Layer:
        layer = summary.name if summary else None
        columns = self._count_columns(layer) if layer else 0
        meta, self._ready = opened.enter_context(self._open(layer, columns))
        if self._dataset.driver in _OWN_ZONES and self._note_times(layer, self._ready.schema):
            meta, self._ready = opened.enter_context(self._open(layer, columns))
        name = meta["geometry_name"] or "wkb_geometry"
        schema = self._ready.schema
        geometry = max(place for place, each in enumerate(schema) if each.name == name)
        fields = {
            place: self._field(each)
            for place, each in enumerate(schema)
            if place not in (_FID_PLACE, geometry)
        }
        kind = meta["geometry_type"] or "Unknown"
        return _Layer(
            summary=summary or LayerSummary(name=self._dataset.path.stem, geometry_type=kind, rows=None),
            crs=meta["crs"],
            fields=list(fields.values()),
            places={field.name: place for place, field in fields.items()},
            geometry=geometry,
            stored=self._stored(layer, meta["fid_column"], [schema.field(place) for place in fields]),
        )

    def _stored(self, layer: str | None, fid_column: str, fields: list[pa.Field]) -> StoredColumns | None:
        path = self._dataset.path
        if self._dataset.driver == "ESRI Shapefile":
            return DbfDates(path.with_suffix(".dbf"), fields)
        # A view has no feature ids of its own.
        if self._dataset.driver == "GPKG" and layer is not None and fid_column:
            return GeoPackageColumns(Table(path, layer, fid_column), fields)
        return None

    def _note_times(self, layer: str | None, schema: pa.Schema) -> bool:
        """Note the columns whose times are to be read as text, and tell whether there are any."""
        moments = [each for each in schema if pa.types.is_timestamp(each.type)]
        if all(each.type.tz is not None for each in moments):
            return False
        is_utc = self._dataset.driver in _UTC_BY_RULE
        zoned = {each.name for each in moments if is_utc or each.type.tz is not None}
        if self._dataset.driver in _ZONES_IN_TEXTS:
            names = [each.name for each in moments]
            zoned = zoned_columns(self._dataset.path, layer, self._encoding, names)
        for each in moments:
            kind = WITH_ZONE if each.name in zoned else WITHOUT_ZONE
            self._times.setdefault(each.name, TextTimes(each.name, kind, is_utc=is_utc))
        return True

    def _field(self, each: pa.Field) -> Field:
        if each.name in self._times and (each.metadata or {}).get(b"GDAL:OGR:type") == b"DateTime":
            return Field(each.name, self._times[each.name].kind)
        is_extension = isinstance(each.type, pa.BaseExtensionType)
        is_json = is_extension and each.type.extension_name == "arrow.json"
        return Field(each.name, each.type.storage_type if is_extension else each.type, is_json)

    def _count_columns(self, layer: str) -> int:
        return len(pyogrio.read_info(self._dataset.path, layer=layer, encoding=self._encoding)["fields"])

    def _open(self, layer: str | None, columns: int) -> Any:
        return open_arrow(
            self._dataset.path,
            layer=layer,
            encoding=self._encoding,
            use_pyarrow=True,
            return_fids=True,
            datetime_as_string=bool(self._times),
            batch_size=max(1, min(_MOST_ROWS, _CELLS // (columns + 1))),
        )


def _refuse_other_crs(layers: list[_Layer]) -> None:
    others = [layer for layer in layers if layer.crs != layers[0].crs]
    if others:
        first, other = layers[0], others[0]
        raise TaskFailed(
            LAYERS_DIFFER,
            f"layer {first.summary.name!r} is in {_shown(first.crs)}, "
            f"layer {other.summary.name!r} in {_shown(other.crs)}",
        )


def _shown(crs: str | None) -> str:
    return "no CRS" if crs is None else crs[:60]


def _merged_fields(layers: list[_Layer]) -> list[Field]:
    """Return the fields of all layers; where two have one of different types it becomes the wider."""
    merged: dict[str, Field] = {}
    for layer in layers:
        for field in layer.fields:
            merged[field.name] = wider(merged.get(field.name, field), field)
    return list(merged.values())
