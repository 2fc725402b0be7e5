"""Read GeoJSON through OGR, and what OGR does not tell of it from the text itself."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.findings import Findings
from services.vector.codes import COLUMN_TYPE_WIDENED, GEOMETRY_MALFORMED, ROW_MALFORMED
from services.vector.datasets import Dataset
from services.vector.geojson import checked_text, null_geometries
from services.vector.models import LayerSummary
from services.vector.native.crs import OwnCrs
from services.vector.native.ledger import Ledger
from services.vector.native.ogr import OgrSource
from services.vector.native.source import Batch, Field

_KEPT_AS_TEXT: Final = "integers beyond 64 bits are kept as text"


class GeoJsonSource:
    """`services.vector.native.source.Source` for GeoJSON, whole or line by line.

    Args:
        dataset: What to open.
        ledger: Gets the rows that are read, and those that cannot be.
        findings: Gets what was changed.
        opened: Closes at the end what is left open until then.
    """

    def __init__(self, dataset: Dataset, ledger: Ledger, findings: Findings, opened: ExitStack) -> None:
        self._ledger = ledger
        self._is_sequence = dataset.driver == "GeoJSONSeq"
        self._text = checked_text(dataset.path, is_sequence=self._is_sequence)
        if self._text.long_integers:
            message = f"{self._text.long_integers:,} {_KEPT_AS_TEXT}"
            findings.add("warning", COLUMN_TYPE_WIDENED, message)
        self._ogr = OgrSource(Dataset(self._text.path, dataset.driver), ledger, findings, opened)
        self._name = dataset.path.stem
        self._nulls: NDArray[np.int64] | None = None

    @property
    def layers(self) -> list[LayerSummary]:
        """Return the one layer that a GeoJSON file is."""
        [layer] = self._ogr.layers
        return [layer.model_copy(update={"name": self._name, "rows": self._text.features})]

    @property
    def fields(self) -> list[Field]:
        """Return the attributes; what has integers that no number type holds exactly is text."""
        return [self._as_text(field) for field in self._ogr.fields]

    @property
    def crs(self) -> OwnCrs:
        """Return the CRS."""
        return self._ogr.crs

    def batches(self) -> Iterator[Batch]:
        """Read the features; what has a geometry that OGR cannot read is dropped."""
        self._ledger.read += len(self._text.bad_lines)
        self._ledger.drop(ROW_MALFORMED, self._text.bad_lines, self._text.examples)
        done = 0
        for batch in self._ogr.batches():
            places = np.arange(done, done + len(batch.fids))
            done += len(batch.fids)
            yield self._without_bad(batch, places) if batch.geometries.null_count else batch

    def _as_text(self, field: Field) -> Field:
        # OGR calls a column of numbers and quoted ones JSON, and gives its values as they are, unquoted.
        if field.name not in self._text.long_names or field.type != pa.string():
            return field
        return replace(field, is_json=False, note=_KEPT_AS_TEXT)

    def _without_bad(self, batch: Batch, places: NDArray[np.int64]) -> Batch:
        if self._nulls is None:
            self._nulls = np.array(null_geometries(self._text.path, is_sequence=self._is_sequence), np.int64)
        is_null = np.asarray(batch.geometries.is_null())
        bad = is_null & ~np.isin(places, self._nulls)
        if not bad.any():
            return batch
        self._ledger.drop(GEOMETRY_MALFORMED, batch.fids[bad].tolist())
        good = pa.array(~bad)
        attributes = [values.filter(good) for values in batch.attributes]
        return Batch(batch.fids[~bad], batch.geometries.filter(good), attributes)
