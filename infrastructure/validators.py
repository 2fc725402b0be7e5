"""Resource validators: what job types may demand of what their parameters name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from core import codes
from core.blob_names import normalised_blob_name
from core.declaration import ResourceCheck
from core.errors import ErrorCode, InvalidInput, NotFound
from core.models.tables import TableName
from core.ports.blobs import BlobRef, BlobStore
from core.ports.catalogue import CatalogueReader
from core.ports.effects import Effects
from core.ports.unpublishing import Unpublishing
from core.ports.vectors import VectorStore
from core.validation import ResourceValidators, ResourceViolation

TOO_LARGE = ErrorCode(
    "blob.too_large",
    "The file is too large",
    "Submit a smaller file, or raise the limit named in the message.",
)
TOO_SMALL = ErrorCode("blob.too_small", "The file is too small", "Use the job type for files of this size.")

_MB = 1_000_000


@dataclass(frozen=True)
class Resources:
    """What validators may look at.

    Args:
        blobs: The blob store.
        catalogue: The catalogue.
        tables: The vector tables.
        effects: For who owns what is published.
        unpublishing: The audit of what was taken back.
        limits: Settings that declarations refer to by name, e.g. ``RASTER_MAX_FILE_SIZE_MB``.
        schemas: Where vector tables may be published.
    """

    blobs: BlobStore
    catalogue: CatalogueReader
    tables: VectorStore
    effects: Effects
    unpublishing: Unpublishing
    limits: Mapping[str, int]
    schemas: Sequence[str]


Check = Callable[[Resources, Mapping[str, Any], ResourceCheck], ResourceViolation | None]


@dataclass(frozen=True)
class NamedValidator:
    """A function and the name by which declarations ask for it."""

    name: str
    check: Check


def register_validator(name: str) -> Callable[[Check], NamedValidator]:
    """Declare a function to be the validator `name`; `ALL_VALIDATORS` lists what there is."""
    return partial(NamedValidator, name)


@register_validator("container_exists")
def container_exists(
    resources: Resources, values: Mapping[str, Any], check: ResourceCheck
) -> ResourceViolation | None:
    """Demand that the container exists that the parameter names."""
    container = values[check.parameter]
    if resources.blobs.container_exists(container):
        return None
    return ResourceViolation(codes.CONTAINER_MISSING, f"There is no container {container!r}.")


@register_validator("blob_exists")
def blob_exists(
    resources: Resources, values: Mapping[str, Any], check: ResourceCheck
) -> ResourceViolation | None:
    """Demand a blob with something in it, of a size within the declared bounds.

    Options: ``container_parameter``; ``max_mb_setting``, the name of a limit in MB of which 0 is none;
    ``min_mb``.
    """
    container = values[check.options["container_parameter"]]
    try:
        name = normalised_blob_name(values[check.parameter])
        found = resources.blobs.properties(BlobRef(container, name))
    except (InvalidInput, NotFound) as error:
        return ResourceViolation(error.code, error.message)
    if found.nbytes == 0:
        return ResourceViolation(codes.BLOB_EMPTY, f"{found.ref} has no bytes.")
    return _size_violation(resources, check, found.nbytes, str(found.ref))


def _size_violation(
    resources: Resources, check: ResourceCheck, nbytes: int, name: str
) -> ResourceViolation | None:
    setting = check.options.get("max_mb_setting")
    limit = resources.limits[setting] if setting else 0
    if limit and nbytes > limit * _MB:
        return ResourceViolation(TOO_LARGE, f"{name} has {nbytes / _MB:,.1f} MB; {setting} allows {limit:,}.")
    least = check.options.get("min_mb", 0)
    if nbytes < least * _MB:
        return ResourceViolation(
            TOO_SMALL, f"{name} has {nbytes / _MB:,.1f} MB; at least {least:,} are needed."
        )
    return None


@register_validator("blobs_exist")
def blobs_exist(
    resources: Resources, values: Mapping[str, Any], check: ResourceCheck
) -> ResourceViolation | None:
    """Demand every blob of a list; names all that are missing. Option: ``container_parameter``."""
    container = values[check.options["container_parameter"]]
    missing: list[str] = []
    for name in values[check.parameter] or ():
        try:
            resources.blobs.properties(BlobRef(container, normalised_blob_name(name)))
        except (InvalidInput, NotFound):
            missing.append(name)
    if not missing:
        return None
    return ResourceViolation(codes.BLOB_MISSING, f"Not found in {container}: {', '.join(missing)}.")


@register_validator("stac_item_exists")
def stac_item_exists(
    resources: Resources, values: Mapping[str, Any], check: ResourceCheck
) -> ResourceViolation | None:
    """Demand a STAC item, if the parameter names one. Option: ``collection_parameter``."""
    collection = values[check.options["collection_parameter"]]
    item = values[check.parameter]
    if item is None or resources.catalogue.get_item(collection, item) is not None:
        return None
    return ResourceViolation(codes.CATALOGUE_ITEM_MISSING, f"There is no item {item!r} in {collection!r}.")


@register_validator("stac_collection_exists")
def stac_collection_exists(
    resources: Resources, values: Mapping[str, Any], check: ResourceCheck
) -> ResourceViolation | None:
    """Demand a STAC collection, if the parameter names one."""
    collection = values[check.parameter]
    if collection is None or resources.catalogue.get_collection(collection) is not None:
        return None
    return ResourceViolation(codes.CATALOGUE_COLLECTION_MISSING, f"There is no collection {collection!r}.")


@register_validator("schema_allowed")
def schema_allowed(
    resources: Resources, values: Mapping[str, Any], check: ResourceCheck
) -> ResourceViolation | None:
    """Demand one of the schemas that vector tables are published in."""
    schema = values[check.parameter]
    if schema not in resources.schemas:
        message = f"Tables are published in {', '.join(resources.schemas)}, not in {schema!r}."
        return ResourceViolation(codes.SCHEMA_NOT_ALLOWED, message)
    if not resources.tables.schema_exists(schema):
        return ResourceViolation(
            codes.SCHEMA_NOT_ALLOWED, f"The database has no schema {schema!r} that the app may use."
        )
    return None


@register_validator("table_not_exists")
def table_not_exists(
    resources: Resources, values: Mapping[str, Any], check: ResourceCheck
) -> ResourceViolation | None:
    """Demand that no table stands there that no job owns, or that it may be replaced.

    What a job owns is the reservations' concern. Option: ``schema_parameter``.
    """
    table = TableName(values[check.options["schema_parameter"]], values[check.parameter])
    if table.schema not in resources.schemas:
        return None
    found = resources.tables.describe(table)
    if found is None or resources.effects.live_artifact("table", str(table)) is not None:
        return None
    # What cannot be replaced is told first: the remedy for the other is to replace it.
    if found.kind != "table":
        article = "an" if found.kind.startswith("i") else "a"
        return ResourceViolation(codes.TABLE_FOREIGN, f"{table} is {article} {found.kind}, not a table.")
    if not found.owned:
        message = f"{table} is a table that does not belong to Terrane's role of the database."
        return ResourceViolation(codes.TABLE_FOREIGN, message)
    if values.get("if_exists") != "replace":
        message = f"There is a table {table} that no job has published."
        return ResourceViolation(codes.TABLE_EXISTS, message)
    return None


@register_validator("item_not_of_another_table")
def item_not_of_another_table(
    resources: Resources, values: Mapping[str, Any], check: ResourceCheck
) -> ResourceViolation | None:
    """Demand of an item that is to be replaced that it shows the table which is replaced with it.

    Without its item the other table could no longer be found. Options: ``collection_parameter``,
    ``schema_parameter``, ``table_parameter``.
    """
    name = values[check.parameter]
    if name is None or values["if_exists"] != "replace":
        return None
    item = f"{values[check.options['collection_parameter']]}/{name}"
    live = resources.effects.live_artifact("item", item)
    if live is None:
        return None
    table = f"{values[check.options['schema_parameter']]}.{values[check.options['table_parameter']]}"
    shown = resources.effects.artifacts(live.job_id, live.revision)
    others = [each.location for each in shown if each.kind != "item" and each.state == "live"]
    if not others or table in others:
        return None
    message = f"The item {item} shows {', '.join(sorted(others)[:3])}, not {table}."
    return ResourceViolation(codes.CATALOGUE_ITEM_TAKEN, message)


@register_validator("stac_items_exist")
def stac_items_exist(
    resources: Resources, values: Mapping[str, Any], check: ResourceCheck
) -> ResourceViolation | None:
    """Demand every STAC item of a list; names all that are missing. Option: ``collection_parameter``."""
    collection = values[check.options["collection_parameter"]]
    names = dict.fromkeys(values[check.parameter] or ())
    missing = [name for name in names if resources.catalogue.get_item(collection, name) is None]
    if not missing:
        return None
    return ResourceViolation(
        codes.CATALOGUE_ITEM_MISSING, f"Not in {collection!r}: {', '.join(map(repr, missing))}."
    )


@register_validator("published_table_exists")
def published_table_exists(
    resources: Resources, values: Mapping[str, Any], check: ResourceCheck
) -> ResourceViolation | None:
    """Demand a table, if the parameter names one. Option: ``schema_parameter``."""
    if values[check.parameter] is None:
        return None
    table = TableName(values[check.options["schema_parameter"]], values[check.parameter])
    if resources.tables.describe(table) is not None:
        return None
    return ResourceViolation(codes.TABLE_MISSING, f"There is no table {str(table)!r}.")


@register_validator("unpublished_exists")
def unpublished_exists(
    resources: Resources, values: Mapping[str, Any], check: ResourceCheck
) -> ResourceViolation | None:
    """Demand an audit record of which something is kept."""
    record = resources.unpublishing.get(values[check.parameter])
    if record is None:
        return ResourceViolation(
            codes.UNPUBLISH_UNKNOWN, f"There is no audit record {values[check.parameter]}."
        )
    if record.restored_at is not None:
        return ResourceViolation(codes.UNPUBLISH_NOT_RESTORABLE, f"Restored by job {record.restored_by}.")
    if record.purged_at is not None or record.purge_after is None:
        return ResourceViolation(codes.UNPUBLISH_NOT_RESTORABLE, "What it removed is deleted.")
    return None


#: Every validator that a declaration may name.
ALL_VALIDATORS: tuple[NamedValidator, ...] = (
    container_exists,
    blob_exists,
    blobs_exist,
    stac_item_exists,
    stac_collection_exists,
    schema_allowed,
    table_not_exists,
    stac_items_exist,
    item_not_of_another_table,
    published_table_exists,
    unpublished_exists,
)


def resource_validators(resources: Resources) -> ResourceValidators:
    """Bind every validator to what it looks at."""
    return ResourceValidators({named.name: partial(named.check, resources) for named in ALL_VALIDATORS})
