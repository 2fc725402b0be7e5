"""The handlers of `audit_catalog`."""

from collections import Counter
from collections.abc import Iterator

from core.handler import TaskContext, task_handler
from core.json import dumps
from core.ports.blobs import BlobRef, WriteOptions
from core.reports import AUDITS
from services.auditing.items import audit_collection
from services.auditing.leftovers import audit_container, audit_schema
from services.auditing.models import (
    Audited,
    AuditPart,
    Finding,
    ListParts,
    Part,
    PartAudited,
    Parts,
    Report,
)

_JSON_LINES = "application/jsonl"


@task_handler("list_audit_parts")
def list_audit_parts(p: ListParts, context: TaskContext) -> Parts:
    """List the collections, containers and schemas that are to be audited."""
    known = [collection["id"] for collection in context.catalogue.collections()]
    wanted = known if p.collections is None else [name for name in known if name in p.collections]
    parts = [Part(kind="collection", name=name) for name in wanted]
    if p.collections is None:
        parts += [Part(kind="container", name=name) for name in sorted(context.zones.silver)]
        parts += [Part(kind="schema", name=name) for name in sorted(context.zones.schemas)]
    return Parts(parts=parts)


@task_handler("audit_part")
def audit_part(p: AuditPart, context: TaskContext) -> PartAudited:
    """Audit one part; every finding is a line of a file."""
    counts: Counter[str] = Counter()
    scanned = 0
    path = context.workspace / "findings.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for found in _audit(p, context):
            if found is None:
                scanned += 1
                context.progress(0.0, f"{p.part.name}: {scanned:,} looked at")
                continue
            counts[found.code] += 1
            file.write(dumps(found.model_dump(exclude_none=True)) + "\n")
    if not counts:
        return PartAudited(part=p.part, scanned=scanned, findings={})
    ref = context.stage_blob(path, _folder(context) + f"{context.task.key}.jsonl")
    return PartAudited(part=p.part, scanned=scanned, findings=dict(counts), details=ref.name)


@task_handler("report_audit")
def report_audit(p: Report, context: TaskContext) -> Audited:  # noqa: ARG001 - nothing to ask for
    """Add up the parts and put their findings in one file."""
    scanned: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    path = context.workspace / "findings.jsonl"
    with path.open("wb") as file:
        for task in context.results():
            part = PartAudited.model_validate(task.result)
            scanned[part.part.kind] += part.scanned
            counts.update(part.findings)
            if part.details is not None:
                source = context.download(BlobRef(context.temp_container, part.details), "part.jsonl")
                file.write(source.read_bytes())
    result = Audited(scanned=dict(scanned), findings=dict(counts), agrees=not counts)
    if counts:
        ref = BlobRef(context.temp_container, f"{AUDITS}{context.task.job_id}/{context.task.revision}.jsonl")
        published = context.publish_blob(path, ref, WriteOptions(content_type=_JSON_LINES))
        result = result.model_copy(update={"details": published.url})
    with context.publication() as transaction:
        transaction.complete(result.model_dump(mode="json"))
    return result


def _audit(p: AuditPart, context: TaskContext) -> Iterator[Finding | None]:
    if p.part.kind == "collection":
        return audit_collection(p.part.name, context, checksums=p.checksums)
    if p.part.kind == "container":
        return audit_container(p.part.name, context)
    return audit_schema(p.part.name, context)


def _folder(context: TaskContext) -> str:
    return f"temp/audit_catalog/{context.task.job_id}/"
