"""The versions of STAC and of its extensions that we write, and when an extension is listed."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from core.json import JsonObject

STAC_VERSION: Final = "1.1.0"

_SCHEMA = "https://stac-extensions.github.io/{}/schema.json"

#: Schema of each extension by the start of its fields' names.
EXTENSIONS: Final[dict[str, str]] = {
    prefix: _SCHEMA.format(name)
    for prefix, name in {
        "proj:": "projection/v2.0.0",
        "raster:": "raster/v2.0.0",
        "eo:": "eo/v2.0.0",
        "file:": "file/v2.1.0",
        "processing:": "processing/v1.2.0",
        "renders": "render/v2.0.0",
        "table:": "table/v1.2.0",
        "view:": "view/v1.0.0",
        "sat:": "sat/v1.1.0",
        "classification:": "classification/v2.0.0",
    }.items()
}


def used_extensions(document: JsonObject) -> list[str]:
    """Return the schemas of the extensions of which an item or a collection has a field."""
    names = set(_field_names(document))
    return sorted(
        schema for prefix, schema in EXTENSIONS.items() if any(name.startswith(prefix) for name in names)
    )


def _field_names(document: JsonObject) -> Iterator[str]:
    # Extension fields stand in these objects only; a value may be an object of anybody's names.
    assets = [*document.get("assets", {}).values(), *document.get("item_assets", {}).values()]
    bands = [band for asset in assets for band in asset.get("bands", [])]
    holders: Iterable[dict[str, Any]] = [
        document,
        document.get("properties", {}),
        document.get("summaries", {}),
        *document.get("links", []),
        *document.get("providers", []),
        *assets,
        *bands,
    ]
    for holder in holders:
        yield from holder
