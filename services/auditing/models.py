"""What an audit looks at, and what it finds."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

PartKind = Literal["collection", "container", "schema"]

Code = Literal[
    "asset_missing",
    "asset_size_differs",
    "asset_checksum_differs",
    "asset_changed",
    "table_missing",
    "table_rows_differ",
    "extent_too_small",
    "extent_too_large",
    "blob_unnamed",
    "table_unnamed",
]


class Model(BaseModel):
    """Frozen, and refuses fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ListParts(Model):
    """Parameters: which parts of the whole; None means all of them."""

    collections: list[str] | None = None


class Part(Model):
    """Something that one task audits: a collection's items, a container's blobs, a schema's tables."""

    kind: PartKind
    name: str


class Parts(Model):
    """Result of the list."""

    parts: list[Part]


class AuditPart(Model):
    """Parameters of a part."""

    part: Part
    checksums: bool


class Finding(Model):
    """One disagreement.

    Args:
        subject: The item, blob, table or collection that it is about.
        named_by: The item that names it, if any.
        expected: What the catalogue says.
        found: What there is.
    """

    code: Code
    subject: str
    named_by: str | None = None
    expected: str | None = None
    found: str | None = None


class PartAudited(Model):
    """Result of a part.

    Args:
        scanned: Items, blobs or tables.
        findings: How many of each kind.
        details: Blob with every finding as JSON lines; None if there is none.
    """

    part: Part
    scanned: int
    findings: dict[str, int]
    details: str | None = None


class Report(Model):
    """Parameters of the report: none but that it is wanted."""


class Audited(Model):
    """Result of the job.

    Args:
        scanned: Items, blobs and tables, by kind of part.
        findings: How many of each kind.
        agrees: Whether there is none.
        details: Address of a blob with every finding as JSON lines; None if there is none.
    """

    scanned: dict[str, int]
    findings: dict[str, int]
    agrees: bool
    details: str | None = None
