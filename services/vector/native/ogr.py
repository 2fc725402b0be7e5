"""Read through OGR: Arrow batches of the layers that are wanted, with one driver and no other file."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError
from pyogrio.raw import open_arrow

from core.errors import TaskFailed
from services.findings import Findings
from services.vector.codes import (
    EMPTY,
    LAYER_AMBIGUOUS,
    LAYER_UNKNOWN,
    NOT_SPATIAL,
    READER_WARNING,
    TRUNCATED,
    UNREADABLE,
)
from services.vector.datasets import Dataset
from services.vector.models import Driver, LayerSummary
from services.vector.native.crs import OwnCrs
from services.vector.native.ledger import Ledger
from services.vector.native.source import Batch, Field

# Cells and bytes a batch: what shapely makes of it is several times as large.
_CELLS: Final = 4_000_000
_MOST_ROWS: Final = 50_000
_BATCH_NBYTES: Final = 16 * 1024 * 1024
_MOST_WARNINGS: Final = 10
# Formats whose standard fixes the CRS, though a file may name another.
_FIXED_CRS: Final[frozenset[Driver]] = frozenset({"GPX", "GeoJSON", "GeoJSONSeq", "LIBKML", "TopoJSON"})
# Of GPX: the points of the lines in the layers before, once more.
_DERIVED: Final = frozenset({"route_points", "track_points"})
_TRUNCATED: Final = ("unterminated", "unexpected end", "unexpected eof", "truncated", "no element found")

pyogrio.set_gdal_config_options({"OGR_ARROW_MEM_LIMIT": str(_BATCH_NBYTES)})


@dataclass(frozen=True)
class _Layer:
    summary: LayerSummary
    crs: str | None
    schema: pa.Schema
    geometry: str
    fid: str


class OgrSource:
    """`services.vector.native.source.Source` for what OGR reads.

    Args:
        dataset: What to open.
        layer: Name, ``*`` or None.
        ledger: Gets the rows that are read.
        findings: Gets what the reader warns of.
        encoding: Of text that does not name its own.
    """

    def __init__(
        self,
        dataset: Dataset,
        layer: str | None,
        ledger: Ledger,
        findings: Findings,
        encoding: str | None = None,
    ) -> None:
        self._dataset = dataset
        self._ledger = ledger
        self._findings = findings
        self._encoding = encoding
        self._warned: set[str] = set()
        self._merged = "folder" if dataset.driver == "LIBKML" else "layer"
        with self._reading():
            chosen = self._choose(self._summaries(), layer)
            self._layers = [self._describe(summary) for summary in chosen]
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
        source = "format" if self._dataset.driver in _FIXED_CRS else "file"
        if self._dataset.driver in ("TopoJSON", "GPX", "LIBKML"):
            return OwnCrs("EPSG:4326", "format")
        crs = self._layers[0].crs
        is_rule = crs in (None, "EPSG:4326", "EPSG:4979")
        return OwnCrs(crs, "format" if source == "format" and is_rule else "file")

    def batches(self) -> Iterator[Batch]:
        """Read every layer, one after the other."""
        with self._reading():
            for layer in self._layers:
                yield from self._layer_batches(layer)

    def _layer_batches(self, layer: _Layer) -> Iterator[Batch]:
        with self._open(layer.summary.name, len(layer.schema)) as (_, reader):
            for batch in reader:
                self._ledger.read += len(batch)
                yield self._as_batch(batch, layer)

    def _as_batch(self, batch: pa.RecordBatch, layer: _Layer) -> Batch:
        attributes = [_column(batch, field) for field in self._fields]
        if self._is_merged:
            attributes.insert(0, pa.repeat(pa.scalar(layer.summary.name, pa.string()), len(batch)))
        geometries = batch.column(layer.geometry)
        if isinstance(geometries.type, pa.BaseExtensionType):
            geometries = geometries.storage
        return Batch(
            fids=batch.column(layer.fid).to_numpy(zero_copy_only=False).astype(np.int64),
            geometries=geometries.cast(pa.binary()),
            attributes=attributes,
        )

    def _open(self, layer: str, columns: int) -> Any:
        rows = max(1, min(_MOST_ROWS, _CELLS // (columns + 1)))
        return open_arrow(
            self._dataset.path,
            layer=layer,
            encoding=self._encoding,
            use_pyarrow=True,
            return_fids=True,
            batch_size=rows,
        )

    def _summaries(self) -> list[LayerSummary]:
        listed = pyogrio.list_layers(self._dataset.path)
        return [self._summary(str(name), kind) for name, kind in listed]

    def _summary(self, name: str, kind: str | None) -> LayerSummary:
        info = pyogrio.read_info(
            self._dataset.path, layer=name, encoding=self._encoding, force_feature_count=True
        )
        return LayerSummary(name=name, geometry_type=kind or "none", rows=int(info["features"]))

    def _choose(self, layers: list[LayerSummary], wanted: str | None) -> list[LayerSummary]:
        """Return the layers to read.

        Raises:
            TaskFailed: ``vector.layer_unknown``, ``vector.layer_ambiguous``, ``vector.empty``,
                ``vector.not_spatial``.
        """
        if wanted not in (None, "*"):
            chosen = [layer for layer in layers if layer.name == wanted]
            if not chosen:
                raise _layer_error(
                    LAYER_UNKNOWN, f"there is no layer {wanted!r}, but {_listed(layers)}", layers
                )
            return _spatial(chosen, layers)
        filled = _spatial([layer for layer in layers if layer.rows], layers)
        own = [layer for layer in filled if self._dataset.driver != "GPX" or layer.name not in _DERIVED]
        filled = own or filled
        if len(filled) > 1 and wanted is None and self._dataset.driver != "LIBKML":
            raise _layer_error(LAYER_AMBIGUOUS, f"the file has {_listed(filled)}", filled)
        return filled

    def _describe(self, summary: LayerSummary) -> _Layer:
        with self._open(summary.name, 0) as (meta, reader):
            return _Layer(
                summary=summary,
                crs=meta["crs"],
                schema=reader.schema,
                geometry=meta["geometry_name"] or "wkb_geometry",
                fid=meta["fid_column"] or "OGC_FID",
            )

    def _reading(self) -> "_Reading":
        return _Reading(self._dataset, self._note)

    def _note(self, warning: str) -> None:
        """Report what OGR warns of, each thing once."""
        if warning in self._warned or len(self._warned) >= _MOST_WARNINGS:
            return
        self._warned.add(warning)
        self._findings.add("warning", READER_WARNING, warning)


class _Reading:
    """Turns what OGR raises into refusals, and collects what it warns of."""

    def __init__(self, dataset: Dataset, note: Any) -> None:
        self._dataset = dataset
        self._note = note
        self._warnings = warnings.catch_warnings(record=True)

    def __enter__(self) -> None:
        self._caught = self._warnings.__enter__()
        warnings.simplefilter("always")

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        self._warnings.__exit__(None, None, None)
        for each in self._caught or []:
            self._note(without_paths(str(each.message), self._dataset))
        if isinstance(error, DataSourceError | DataLayerError | OSError | pa.ArrowException | RuntimeError):
            raise unreadable(self._dataset, error) from error


def unreadable(dataset: Dataset, error: Exception) -> TaskFailed:
    """Return the refusal of a file that the reader cannot go on with."""
    reason = without_paths(str(error), dataset)
    is_cut = any(mark in reason.lower() for mark in _TRUNCATED)
    code = TRUNCATED if is_cut else UNREADABLE
    return TaskFailed(code, f"{dataset.path.name}: {reason}", file=dataset.path.name, driver=dataset.driver)


def without_paths(message: str, dataset: Dataset) -> str:
    """Return a message of OGR without the names of our directories and without pyogrio's advice."""
    text = message.split("; It might help", maxsplit=1)[0].replace(f"{dataset.path.parent}/", "")
    return " ".join(text.split())[:300]


def _spatial(chosen: list[LayerSummary], layers: list[LayerSummary]) -> list[LayerSummary]:
    if not any(layer.rows for layer in layers):
        raise _layer_error(EMPTY, f"the file has {_listed(layers)}", layers)
    spatial = [layer for layer in chosen if layer.geometry_type != "none"]
    if chosen and not spatial:
        raise _layer_error(NOT_SPATIAL, f"the file has {_listed(chosen)}", chosen)
    if not any(layer.rows for layer in spatial):
        raise _layer_error(EMPTY, f"the file has {_listed(chosen)}", layers)
    return spatial


def _layer_error(code: Any, message: str, layers: list[LayerSummary]) -> TaskFailed:
    return TaskFailed(code, message, layers=[layer.model_dump() for layer in layers[:100]])


def _listed(layers: list[LayerSummary]) -> str:
    shown = [f"{each.name!r} ({each.geometry_type}, {each.rows:,} features)" for each in layers[:20]]
    more = [f"{len(layers) - 20} more"] if len(layers) > 20 else []
    return ", ".join(shown + more) or "no layers"


def _merged_fields(layers: list[_Layer]) -> list[Field]:
    """Return the fields of all layers; where two have one of different types it becomes text."""
    merged: dict[str, Field] = {}
    for layer in layers:
        for each in layer.schema:
            if each.name in (layer.geometry, layer.fid):
                continue
            field = _field(each)
            known = merged.setdefault(field.name, field)
            if (known.type, known.is_json) != (field.type, field.is_json):
                merged[field.name] = _wider(known, field)
    return list(merged.values())


def _field(each: pa.Field) -> Field:
    is_json = isinstance(each.type, pa.BaseExtensionType) and each.type.extension_name == "arrow.json"
    kind = each.type.storage_type if isinstance(each.type, pa.BaseExtensionType) else each.type
    return Field(each.name, kind, is_json)


_WIDTHS: Final = {pa.int16(): 0, pa.int32(): 1, pa.int64(): 2, pa.float32(): 3, pa.float64(): 4}


def _wider(one: Field, other: Field) -> Field:
    if one.type in _WIDTHS and other.type in _WIDTHS:
        widest = max(one.type, other.type, key=lambda kind: _WIDTHS[kind])
        exact = (
            widest != pa.float64() and pa.types.is_floating(widest) and pa.int64() in (one.type, other.type)
        )
        return Field(one.name, pa.float64() if exact else widest)
    return Field(one.name, pa.string(), note="layers have it in different types")


def _column(batch: pa.RecordBatch, field: Field) -> pa.Array:
    place = batch.schema.get_field_index(field.name)
    if place < 0:
        return pa.nulls(len(batch), field.type)
    values = batch.column(place)
    if isinstance(values.type, pa.BaseExtensionType):
        values = values.storage
    return values if values.type == field.type else values.cast(field.type)
