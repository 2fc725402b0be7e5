"""What goes with items, and what of it stays, and why."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from core.errors import NotFound
from core.handler import TaskContext
from core.json import JsonObject
from core.models.unpublished import Owner, Removal
from services.unpublishing.assets import NamedBlob, NamedTable, named_by
from services.unpublishing.models import BlobEntry, ItemEntry, KeptEntry, TableEntry
from services.unpublishing.trash import is_trash


@dataclass
class Findings:
    """What goes, with the ETags that a dry run does not tell, and what stays."""

    items: list[ItemEntry] = field(default_factory=list)
    blobs: list[BlobEntry] = field(default_factory=list)
    tables: list[TableEntry] = field(default_factory=list)
    kept: list[KeptEntry] = field(default_factory=list)
    removals: list[Removal] = field(default_factory=list)


@dataclass(frozen=True)
class _Judge:
    """Knows who owns and who else names what the items name."""

    context: TaskContext
    going: frozenset[str]
    owners: Mapping[str, Owner]
    others: Mapping[str, set[str]]

    def reason_to_keep(self, blob: NamedBlob) -> tuple[str, str] | None:
        """Return why a blob stays, and the fact behind it; None if it goes."""
        if blob.ref.container not in self.context.zones.silver:
            return "protected", f"{blob.ref.container} is no container of published data"
        if is_trash(blob.ref):
            return "protected", "it waits for a restoration"
        sharing = self.others.get(str(blob.ref), set()) - self.going
        if sharing:
            return "shared", ", ".join(sorted(sharing)[:5])
        owner = self.owners.get(str(blob.ref))
        if owner is not None and owner.job_id != blob.job_id:
            return "owned", f"job {owner.job_id}"
        return None


def inspect_items(items: Sequence[JsonObject], context: TaskContext, *, drop_table: bool) -> Findings:
    """Find out what goes with items.

    A blob goes if it lies in a container of published data, no other item names it, and it is the
    work of the job that made the item or of no job at all. So does a table in an allowed schema.
    """
    findings = Findings()
    named: list[NamedBlob | NamedTable] = []
    for item in items:
        context.check()
        findings.items.append(
            ItemEntry(
                collection_id=item["collection"],
                item_id=item["id"],
                job_id=item["properties"].get("app:job_id"),
            )
        )
        for one in named_by(item, context):
            (findings.kept if isinstance(one, KeptEntry) else named).append(one)  # type: ignore[arg-type]
    _judge_blobs([one for one in named if isinstance(one, NamedBlob)], findings, context)
    inspect_tables([one for one in named if isinstance(one, NamedTable)], findings, context, drop=drop_table)
    return findings


def inspect_tables(
    named: Iterable[NamedTable], findings: Findings, context: TaskContext, *, drop: bool
) -> None:
    """Add to the findings which tables go."""
    for one in dict.fromkeys(named):
        kept = _reason_to_keep_table(one, context, drop=drop)
        if kept is None:
            findings.tables.append(describe_table(one, context))
            findings.removals.append(Removal(0, "table", str(one.table)))
        else:
            reason, detail = kept
            findings.kept.append(
                KeptEntry.model_validate(
                    {"href": f"postgis://{one.table}", "item": one.item, "reason": reason, "detail": detail}
                )
            )


def describe_table(one: NamedTable, context: TaskContext) -> TableEntry:
    """Return what a table is, and which views read it.

    Raises:
        NotFound: It is gone.
    """
    there = context.tables.describe(one.table)
    return TableEntry(
        table=str(one.table),
        rows=context.tables.count_rows(one.table),
        nbytes=there.nbytes if there else 0,
        views=[str(dependent.table) for dependent in context.tables.dependents(one.table)],
        item=one.item,
    )


def _reason_to_keep_table(one: NamedTable, context: TaskContext, *, drop: bool) -> tuple[str, str] | None:
    if not drop:
        return "asked", "drop_table is false"
    if one.table.schema not in context.zones.schemas:
        return "protected", f"{one.table.schema} is no schema of published data"
    there = context.tables.describe(one.table)
    if there is None:
        return "missing", "there is no such table"
    if there.kind != "table" or not there.owned:
        return "foreign", f"it is a {there.kind} that is not this app's to remove"
    owner = context.unpublishing.owners("table", [str(one.table)]).get(str(one.table))
    if owner is not None and owner.job_id != one.job_id:
        return "owned", f"job {owner.job_id}"
    return None


def _judge_blobs(named: Sequence[NamedBlob], findings: Findings, context: TaskContext) -> None:
    unique = {str(blob.ref): blob for blob in reversed(named)}
    judge = _Judge(
        context=context,
        going=frozenset(entry.subject for entry in findings.items if entry.subject),
        owners=context.unpublishing.owners("blob", list(unique)),
        others=_references(unique.values(), context),
    )
    for location, blob in sorted(unique.items()):
        context.check()
        kept = judge.reason_to_keep(blob) or _take(blob, judge.owners.get(location), findings, context)
        if kept is not None:
            reason, detail = kept
            findings.kept.append(
                KeptEntry.model_validate(
                    {"href": blob.href, "item": blob.item, "reason": reason, "detail": detail}
                )
            )


def _take(
    blob: NamedBlob, owner: Owner | None, findings: Findings, context: TaskContext
) -> tuple[str, str] | None:
    """Add a blob to what goes, unless it is not there or not what its owner wrote."""
    try:
        there = context.blobs.properties(blob.ref)
    except NotFound:
        return "missing", "there is no such blob"
    if owner is not None and owner.etag is not None and owner.etag != there.etag:
        return "changed", "something else was written there since it was published"
    location = str(blob.ref)
    findings.blobs.append(BlobEntry(location=location, nbytes=there.nbytes, item=blob.item))
    checksum = owner.checksum if owner else None
    findings.removals.append(Removal(0, "blob", location, there.nbytes, there.etag, checksum))
    return None


def _references(blobs: Iterable[NamedBlob], context: TaskContext) -> Mapping[str, set[str]]:
    """Return by location which items name a blob, in whatever form."""
    locations = {href: str(blob.ref) for blob in blobs for href in _forms(blob, context)}
    found: dict[str, set[str]] = defaultdict(set)
    for reference in context.catalogue.referring(list(locations)):
        found[locations[reference.href]].add(f"{reference.collection_id}/{reference.item_id}")
    return found


def _forms(blob: NamedBlob, context: TaskContext) -> Iterator[str]:
    yield from {
        blob.href,
        context.blobs.url(blob.ref),
        f"/vsiaz/{blob.ref}",
        f"az://{blob.ref}",
    }
