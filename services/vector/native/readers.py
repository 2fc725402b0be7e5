"""Which reader opens which format."""

from contextlib import ExitStack
from typing import Final

from services.findings import Findings
from services.vector.datasets import Dataset
from services.vector.models import Driver, PrepareVector
from services.vector.native.delimited import DelimitedSource
from services.vector.native.geojson import GeoJsonSource
from services.vector.native.kml import telling_of_links
from services.vector.native.ledger import Ledger
from services.vector.native.ogr import OgrSource
from services.vector.native.ogr_layers import refuse_other_layer
from services.vector.native.parquet import ParquetSource
from services.vector.native.regular_geojson import read_regular
from services.vector.native.source import Source
from services.vector.text_encoding import encoding_of_dbf

# Formats whose files are one layer by nature, named as the file is.
_SINGLE_LAYER: Final[frozenset[Driver]] = frozenset({"CSV", "GeoJSON", "GeoJSONSeq", "Parquet"})


def open_source(
    request: PrepareVector, dataset: Dataset, ledger: Ledger, findings: Findings, opened: ExitStack
) -> Source:
    """Open a data set.

    Args:
        request: What the caller says of it.
        dataset: What it is.
        ledger: Gets what is read and what cannot be.
        findings: Gets what is odd.
        opened: Closes at the end what is left open until then.

    Raises:
        TaskFailed: It cannot be read; see the code.
    """
    layer = request.layer or request.converter.layer_name
    if dataset.driver in _SINGLE_LAYER:
        refuse_other_layer(layer, dataset, request.path)
    if dataset.driver == "CSV":
        return DelimitedSource(dataset, request.converter, ledger, findings)
    if dataset.driver == "Parquet":
        return ParquetSource(dataset, ledger, findings, opened)
    if dataset.driver in ("GeoJSON", "GeoJSONSeq"):
        plain = read_regular(dataset, ledger, findings)
        return plain or GeoJsonSource(dataset, ledger, findings, opened)
    if dataset.driver == "LIBKML":
        with telling_of_links(dataset.path, findings):
            return OgrSource(dataset, ledger, findings, opened, layer)
    encoding = request.converter.encoding
    if dataset.driver == "ESRI Shapefile":
        encoding = encoding_of_dbf(dataset.path.with_suffix(".dbf"), encoding, findings)
    return OgrSource(dataset, ledger, findings, opened, layer, encoding)
