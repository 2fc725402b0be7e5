"""Which layers of a file there are, and which of them are meant."""

from pathlib import PurePath
from typing import Final

import pyogrio

from core.errors import ErrorCode, TaskFailed
from services.vector.codes import EMPTY, LAYER_AMBIGUOUS, LAYER_UNKNOWN, NOT_SPATIAL
from services.vector.datasets import Dataset
from services.vector.models import LayerSummary

EVERY: Final = "*"
# Of GPX: the points of the lines in the layers before, once more.
_DERIVED: Final = frozenset({"route_points", "track_points"})
_SHOWN: Final = 20


def choose_layers(dataset: Dataset, wanted: str | None, encoding: str | None) -> list[LayerSummary]:
    """Return the layers to read: the one that is named, all, or the only one that has features.

    Folders of KML are all read, for people use them to sort what belongs together.

    Raises:
        TaskFailed: ``vector.layer_unknown``, ``vector.layer_ambiguous``, ``vector.empty``,
            ``vector.not_spatial``.
    """
    kinds = {str(name): kind for name, kind in pyogrio.list_layers(dataset.path)}
    if wanted is not None and wanted in kinds:
        # Every look at a layer opens the file anew, and some have hundreds.
        kinds = {wanted: kinds[wanted]}
    layers = [_summary(dataset, name, kind, encoding) for name, kind in kinds.items()]
    if wanted not in (None, EVERY):
        return _named(layers, str(wanted))
    filled = _spatial([layer for layer in layers if layer.rows], layers)
    if dataset.driver == "GPX":
        filled = [layer for layer in filled if layer.name not in _DERIVED] or filled
    if len(filled) > 1 and wanted is None and dataset.driver != "LIBKML":
        raise _refused(LAYER_AMBIGUOUS, f"the file has {_listed(filled)}", filled)
    return filled


def refuse_other_layer(wanted: str | None, dataset: Dataset, uploaded: str) -> None:
    """Refuse a name that is not that of the one layer which such a format has by nature.

    Args:
        wanted: Name, ``*`` or None.
        dataset: What is to be opened, perhaps under a plainer name.
        uploaded: The file's name as it came.

    Raises:
        TaskFailed: ``vector.layer_unknown``.
    """
    name = dataset.path.stem
    if wanted in (None, EVERY, name, PurePath(uploaded).stem):
        return
    only = LayerSummary(name=name, geometry_type="Unknown", rows=None)
    raise _refused(LAYER_UNKNOWN, f"there is no layer {wanted!r}, but {name!r}", [only])


def _named(layers: list[LayerSummary], wanted: str) -> list[LayerSummary]:
    chosen = [layer for layer in layers if layer.name == wanted]
    if not chosen:
        raise _refused(LAYER_UNKNOWN, f"there is no layer {wanted!r}, but {_listed(layers)}", layers)
    return _spatial(chosen, layers)


def _summary(dataset: Dataset, name: str, kind: str | None, encoding: str | None) -> LayerSummary:
    info = pyogrio.read_info(dataset.path, layer=name, encoding=encoding, force_feature_count=True)
    return LayerSummary(name=name, geometry_type=kind or "none", rows=int(info["features"]))


def _spatial(chosen: list[LayerSummary], layers: list[LayerSummary]) -> list[LayerSummary]:
    if not any(layer.rows for layer in layers):
        raise _refused(EMPTY, f"the file has {_listed(layers)}", layers)
    spatial = [layer for layer in chosen if layer.geometry_type != "none"]
    if chosen and not spatial:
        raise _refused(NOT_SPATIAL, f"the file has {_listed(chosen)}", chosen)
    if not any(layer.rows for layer in spatial):
        raise _refused(EMPTY, f"the file has {_listed(chosen)}", layers)
    return spatial


def _refused(code: ErrorCode, message: str, layers: list[LayerSummary]) -> TaskFailed:
    return TaskFailed(code, message, layers=[layer.model_dump() for layer in layers[:100]])


def _listed(layers: list[LayerSummary]) -> str:
    shown = [f"{each.name!r} ({each.geometry_type}, {each.rows:,} features)" for each in layers[:_SHOWN]]
    more = [f"{len(layers) - _SHOWN} more"] if len(layers) > _SHOWN else []
    return ", ".join(shown + more) or "no layers"
