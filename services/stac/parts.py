"""What items of every kind have alike: time, provenance, files and the links to where they come from."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from core.json import JsonObject, rfc3339, to_jsonable
from services.stac.models import Acquisition, FileInfo, ProcessingStep, Provenance, SourceBlob

#: `app:datetime_source` of an item whose data say nothing of their time.
SOURCE_LAST_MODIFIED: Final = "source_last_modified"


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


def provenance_properties(provenance: Provenance) -> JsonObject:
    """Return which job made an item, when, and with what."""
    return {
        "app:job_id": provenance.job_id,
        "app:job_type": provenance.job_type,
        "app:created_by": "terrane",
        "app:processing_timestamp": rfc3339(provenance.processed_at),
        "updated": rfc3339(provenance.processed_at),
        "processing:software": provenance.software or None,
        "processing:datetime": rfc3339(provenance.processed_at),
        "processing:lineage": provenance.lineage,
        "processing:facility": "Terrane",
        "stac:processing_history": [_step(step) for step in provenance.history] or None,
    }


def links(collection_id: str, source: SourceBlob) -> list[JsonObject]:
    """Return the links that need no address of the API.

    They are `collection`, relative to the item, and `derived_from`; the API adds `self`, `parent`,
    `root` and puts its own in the place of `collection`.
    """
    derived_from = {
        "rel": "derived_from",
        "href": source.href,
        "type": source.media_type,
        "title": source.title,
        "file:size": source.nbytes,
        "file:checksum": source.checksum,
    }
    collection = {"rel": "collection", "href": f"../../{collection_id}", "type": "application/json"}
    return [collection, present(derived_from)]


def thumbnail_asset(file: FileInfo) -> JsonObject:
    """Return the asset of a picture."""
    return {**file_fields(file), "type": "image/png", "title": "Thumbnail", "roles": ["thumbnail"]}


def file_fields(file: FileInfo) -> JsonObject:
    """Return where a file lies, and what the file extension says of it."""
    return present({"href": file.href, "file:size": file.nbytes, "file:checksum": file.checksum})


def finite(values: Iterable[float]) -> list[float]:
    """Return the values as a list.

    Raises:
        ValueError: One of them is not finite, and JSON has no such number.
    """
    numbers = list(values)
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"not finite: {numbers}")
    return numbers


def present(fields: Mapping[str, Any]) -> JsonObject:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def _step(step: ProcessingStep) -> JsonObject:
    return present(
        {
            "name": step.name,
            "description": step.description,
            "job_id": step.job_id,
            "task_id": step.task_id,
            "inputs": [present(file.model_dump()) for file in step.inputs],
            "outputs": [present(file.model_dump()) for file in step.outputs],
            "software": step.software or None,
            "parameters": to_jsonable(step.parameters) or None,
            "completed_at": rfc3339(step.completed_at) if step.completed_at else None,
        }
    )
