"""Which reader opens which format."""

from services.findings import Findings
from services.vector.datasets import Dataset
from services.vector.models import PrepareVector
from services.vector.native.delimited import DelimitedSource
from services.vector.native.ledger import Ledger
from services.vector.native.ogr import OgrSource
from services.vector.native.source import Source


def open_source(request: PrepareVector, dataset: Dataset, ledger: Ledger, findings: Findings) -> Source:
    """Open a data set.

    Raises:
        TaskFailed: It cannot be read; see the code.
    """
    if dataset.driver == "CSV":
        return DelimitedSource(dataset, request.converter, ledger, findings)
    layer = request.layer or request.converter.layer_name
    return OgrSource(dataset, layer, ledger, findings, request.converter.encoding)
