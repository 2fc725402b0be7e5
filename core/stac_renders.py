"""Renders that all items of a collection have in common, so that they hold for the whole of it."""

from collections.abc import Iterable
from functools import reduce
from typing import Any

from core.json import JsonObject

_STRETCH = "rescale"


def common_renders(several: Iterable[JsonObject]) -> JsonObject:
    """Return the renders by name that all of several have; of none, none."""
    remaining = iter(several)
    return reduce(_shared, remaining, next(remaining, {}))


def same_renders(one: JsonObject, other: JsonObject | None) -> bool:
    """Return whether there are two that know the same ways to draw, whatever the values they stretch."""
    return other is not None and {name: _plain(render) for name, render in one.items()} == {
        name: _plain(render) for name, render in other.items()
    }


def _shared(one: JsonObject, other: JsonObject) -> JsonObject:
    return {
        name: _covering(render, other[name])
        for name, render in one.items()
        if name in other and _plain(render) == _plain(other[name])
    }


def _covering(one: JsonObject, other: JsonObject) -> JsonObject:
    """Return a render with the stretch that leaves out no value of either, or none if one has none."""
    stretches = [render.get(_STRETCH, []) for render in (one, other)]
    if not all(stretches) or len(stretches[0]) != len(stretches[1]):
        return _plain(one)
    covering = [[min(a[0], b[0]), max(a[1], b[1])] for a, b in zip(*stretches, strict=True)]
    return {**one, _STRETCH: covering}


def _plain(render: JsonObject) -> dict[str, Any]:
    return {name: value for name, value in render.items() if name != _STRETCH}
