"""Validates STAC documents against the schemas in `tests/schemas`, without the network.

Twice: by ourselves, which also finds extensions that are listed and not used, or used and not listed; and
by stac-validator, as whoever takes our documents would.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7
from stac_validator.validate import StacValidate

from core.json import JsonObject

SCHEMAS = Path(__file__).parent / "schemas"
_CORE = "https://schemas.stacspec.org/v1.1.0"
_HISTORY = "https://terrane.invalid/schemas/processing-history/v1.0.0.json"
_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def assert_valid_item(item: JsonObject) -> None:
    """Fail unless an item is valid STAC 1.1.0, and so is every extension field that it has.

    An extension of which no schema is kept here is a failure too, and so is one that is listed
    without being used, or used without being listed.
    """
    assert item["type"] == "Feature"
    _assert_valid(item, f"{_CORE}/item-spec/json-schema/item.json")
    history = item["properties"].get("stac:processing_history")
    if history is not None:
        _assert_no_errors(history, _HISTORY)


def assert_valid_collection(collection: JsonObject) -> None:
    """Fail unless a collection is valid STAC 1.1.0 and every extension that it lists."""
    assert collection["type"] == "Collection"
    _assert_valid(collection, f"{_CORE}/collection-spec/json-schema/collection.json")


def assert_valid_feature(feature: JsonObject) -> None:
    """Fail unless a feature is one of GeoJSON."""
    _assert_no_errors(feature, "https://geojson.org/schema/Feature.json")


def _assert_valid(document: JsonObject, core: str) -> None:
    for schema in (core, *document.get("stac_extensions", [])):
        _assert_no_errors(document, schema)
    # Prefixes of our own, and the name that the seed gave to the history, belong to no extension.
    own = {"app", "geo", "stac"}
    listed = {uri.split("/")[3] for uri in document.get("stac_extensions", [])}
    used = {_EXTENSION_OF.get(prefix, prefix) for prefix in _prefixes(document)} - own
    assert used == listed, f"listed {sorted(listed)}, used {sorted(used)}"
    _assert_passes_stac_validator(document, {core, *document.get("stac_extensions", [])})


def _assert_passes_stac_validator(document: JsonObject, schemas: set[str]) -> None:
    paths = _paths()
    validator = StacValidate(schema_map=dict(paths))
    # It changes what it is given.
    assert validator.validate_dict(json.loads(json.dumps(document))), validator.message
    [told] = validator.message
    assert set(told["schema"]) == {paths[uri] for uri in schemas}


_EXTENSION_OF = {"proj": "projection", "renders": "render"}


def _prefixes(value: Any, *, holder: str = "") -> Iterator[str]:
    # Values under these names are free-form: software versions, parameters, colours.
    if holder in {"processing:software", "stac:processing_history", "renders"}:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if ":" in key or key == "renders":
                yield key.split(":")[0]
            yield from _prefixes(item, holder=key)
    elif isinstance(value, list):
        for item in value:
            yield from _prefixes(item, holder=holder)


def _assert_no_errors(document: Any, schema_uri: str) -> None:
    registry = _registry()
    assert schema_uri in registry, f"no schema of {schema_uri} is kept in tests/schemas"
    validator = Draft7Validator({"$ref": schema_uri}, registry=registry, format_checker=_FORMATS)
    problems = [f"{error.json_path}: {_deepest(error).message}" for error in validator.iter_errors(document)]
    assert not problems, f"{schema_uri}\n" + "\n".join(problems)


def _deepest(error: Any) -> Any:
    while error.context:
        error = max(error.context, key=lambda part: len(part.absolute_path))
    return error


@cache
def _registry() -> Registry[Any]:
    return Registry().with_resources(_resources())


def _resources() -> Iterable[tuple[str, Resource[Any]]]:
    for uri, path in _paths().items():
        schema = json.loads(Path(path).read_text())
        yield uri, Resource.from_contents(schema, default_specification=DRAFT7)


@cache
def _paths() -> dict[str, str]:
    return {_uri(path, json.loads(path.read_text())): str(path) for path in sorted(SCHEMAS.rglob("*.json"))}


def _uri(path: Path, schema: JsonObject) -> str:
    # One core schema states an id with a slip in it, so these go by their place.
    if path.parent.name == "v1.1.0" and path.parent.parent.name == "stac-spec":
        area = {"collection.json": "collection-spec", "catalog.json": "catalog-spec"}
        return f"{_CORE}/{area.get(path.name, 'item-spec')}/json-schema/{path.name}"
    uri: str = schema["$id"]
    return uri.removesuffix("#")
