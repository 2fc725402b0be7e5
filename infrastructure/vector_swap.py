"""A loaded table takes the place of the one that readers use, and keeps what hung on that one."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import DictRow

from core import codes
from core.errors import Conflict
from core.models.tables import TableName
from infrastructure.database import Connection
from infrastructure.sql import load
from infrastructure.vector_relations import find, first_line, identifier, missing, move

_QUERIES = load("vectors")
_LONGEST_NAME: Final = 63
# How comments that a job wrote begin; every other line is a person's, and kept.
_JOB_COMMENTS: Final = ("Source: ", "Source column: ")
# Why what depends on a table, by its kind, cannot be made again.
_HINDRANCES: Final[Mapping[str, str]] = {
    "v": "view {} belongs to another role",
    "m": "materialized view {} reads it",
    "r": "table {} refers to it or inherits from it",
    "p": "partitioned table {} refers to it or inherits from it",
    "f": "foreign table {} inherits from it",
}
# With which every index of ours ends: of the load that it was made by, so that two tables with one
# history can lie in one schema.
_DIGITS = re.compile(r"_[0-9a-f]{8}")


@dataclass(frozen=True)
class View:
    """A view as it has to be made again."""

    table: TableName
    definition: str
    owner: str
    options: Sequence[str]
    comment: str | None
    columns: Sequence[DictRow]
    privileges: Sequence[DictRow]


class Swap:
    """Puts one table in the place of another within the caller's transaction.

    Args:
        connection: In an open transaction.
        staged: The loaded table.
        table: Its published place.
    """

    def __init__(self, connection: Connection, staged: TableName, table: TableName) -> None:
        self._connection = connection
        self._staged = staged
        self._table = table

    def publish(self, former: int | None) -> Sequence[str]:
        """Move the table; return the indexes and statistics of the former one that nobody made again.

        Args:
            former: What stands in the place, if anything does.

        Raises:
            Conflict: ``table.dependents``: something hangs on it that cannot be kept.
        """
        if former is None:
            self._take_place()
            self._grant(self._table, self._rows("default_privileges", schema=self._table.schema))
            return []
        self._refuse_attachments(former)
        there = find(self._connection, self._table) or {"comment": None}
        views = self._views(former)
        kept = {
            name: self._rows(name, oid=former)
            for name in ("privileges", "columns", "owner", "indexes", "statistics")
        }
        comment = there["comment"]
        for view in reversed(views):
            self._execute("DROP VIEW {}", identifier(view.table))
        self._drop_former()
        self._take_place()
        self._keep_comments(comment, kept["columns"])
        self._grant(self._table, kept["privileges"])
        self._execute(
            "ALTER TABLE {} OWNER TO {}", identifier(self._table), sql.Identifier(kept["owner"][0]["owner"])
        )
        for view in views:
            self._make_again(view)
        left = [row for row in kept["indexes"] if not self._is_ours(row)] + kept["statistics"]
        return [row["name"] for row in left]

    def _refuse_attachments(self, former: int) -> None:
        names = [row["name"] for row in self._rows("attachments", oid=former)]
        if names:
            raise self._dependents(f"it has {', '.join(names)}, which replacing it would lose")

    def _views(self, former: int) -> Sequence[View]:
        rows = self._rows("dependents", oid=former)
        reasons = [
            f"the {_HINDRANCES[row['relkind']]}".format(f"{row['schema']}.{row['name']}")
            for row in rows
            if row["relkind"] != "v" or not row["owned"]
        ]
        if reasons:
            raise self._dependents(", ".join(reasons))
        # With an empty search path every name in a definition is qualified.
        before = self._set_local("search_path", "")
        views = [self._view(row) for row in rows]
        self._set_local("search_path", before)
        return views

    def _view(self, row: DictRow) -> View:
        name, oid = TableName(row["schema"], row["name"]), row["oid"]
        hanging = [entry["name"] for entry in self._rows("attachments", oid=oid)]
        if hanging:
            raise self._dependents(f"the view {name} has {', '.join(hanging)}")
        [view] = self._rows("view", oid=oid)
        return View(
            table=name,
            definition=view["definition"],
            owner=view["owner"],
            options=view["options"] or (),
            comment=view["comment"],
            columns=self._rows("columns", oid=oid),
            privileges=self._rows("privileges", oid=oid),
        )

    def _make_again(self, view: View) -> None:
        name = identifier(view.table)
        options = sql.SQL(", ").join(map(_option, view.options))
        if view.options:
            options = sql.SQL("WITH ({})").format(options)
        definition = sql.SQL(view.definition)
        try:
            with self._connection.transaction():
                self._execute("CREATE VIEW {} {} AS {}", name, options, definition)
        except psycopg.ProgrammingError as error:
            raise self._dependents(
                f"the view {view.table} cannot be made on the new one: {first_line(error)}"
            ) from error
        if view.comment is not None:
            self._execute("COMMENT ON VIEW {} IS {}", name, sql.Literal(view.comment))
        self._comment_columns(view.table, {row["name"]: row["comment"] for row in view.columns})
        self._grant(view.table, view.privileges)
        self._execute("ALTER VIEW {} OWNER TO {}", name, sql.Identifier(view.owner))

    def _drop_former(self) -> None:
        try:
            with self._connection.transaction():
                self._execute("DROP TABLE {}", identifier(self._table))
        except psycopg.errors.DependentObjectsStillExist as error:
            raise self._dependents((error.diag.message_detail or "").replace("\n", "; ")) from error

    def _take_place(self) -> None:
        there = find(self._connection, self._staged)
        if there is None:
            raise missing(self._staged)
        indexes = self._rows("indexes", oid=there["oid"])
        sequences = self._rows("identity_sequence", oid=there["oid"])
        move(self._connection, self._staged, self._table)
        for index in indexes:
            self._rename("INDEX", index["name"], self._index_stem(index))
        for sequence in sequences:
            self._rename("SEQUENCE", sequence["name"], self._stem("id_seq"))

    def _is_ours(self, index: DictRow) -> bool:
        """Tell whether a job made an index, by its name."""
        stem = self._index_stem(index)
        name: str = index["name"]
        return name.startswith(stem) and _DIGITS.fullmatch(name.removeprefix(stem)) is not None

    def _index_stem(self, index: DictRow) -> str:
        return self._stem("pkey" if index["is_primary"] else f"{index['first_column']}_{index['method']}")

    def _stem(self, what: str) -> str:
        return f"{self._table.name}_{what}".encode()[: _LONGEST_NAME - 9].decode(errors="ignore")

    def _rename(self, kind: str, name: str, stem: str) -> None:
        digest = hashlib.sha256(self._staged.name.encode()).hexdigest()[:8]
        renamed = sql.Identifier(f"{stem}_{digest}")
        template = "ALTER INDEX {} RENAME TO {}" if kind == "INDEX" else "ALTER SEQUENCE {} RENAME TO {}"
        self._execute(template, sql.Identifier(self._table.schema, name), renamed)

    def _keep_comments(self, comment: str | None, columns: Sequence[DictRow]) -> None:
        there = find(self._connection, self._table)
        if there is None:
            raise missing(self._table)
        lines = [line for line in (comment or "").splitlines() if not line.startswith(_JOB_COMMENTS)]
        if lines:
            text = "\n".join([*lines, *filter(None, [there["comment"]])])
            self._execute("COMMENT ON TABLE {} IS {}", identifier(self._table), sql.Literal(text))
        present = {row["name"] for row in self._rows("columns", oid=there["oid"])}
        written = {
            row["name"]: row["comment"]
            for row in columns
            if row["name"] in present and not (row["comment"] or "").startswith(_JOB_COMMENTS)
        }
        self._comment_columns(self._table, written)

    def _comment_columns(self, table: TableName, comments: Mapping[str, str | None]) -> None:
        for column, comment in comments.items():
            if comment:
                place = sql.Identifier(table.schema, table.name, column)
                self._execute("COMMENT ON COLUMN {} IS {}", place, sql.Literal(comment))

    def _grant(self, table: TableName, privileges: Sequence[DictRow]) -> None:
        columns = {row["name"] for row in self._rows("columns", oid=self._oid(table))}
        for row in privileges:
            if row["column"] is not None and row["column"] not in columns:
                continue
            # The server names the privilege; SQL has the same word for it.
            privilege = sql.SQL(row["privilege"])
            what = sql.SQL("({})").format(sql.Identifier(row["column"])) if row["column"] else sql.SQL("")
            grantee = sql.Identifier(row["grantee"]) if row["grantee"] else sql.SQL("PUBLIC")
            option = sql.SQL("WITH GRANT OPTION" if row["grantable"] else "")
            self._execute("GRANT {} {} ON {} TO {} {}", privilege, what, identifier(table), grantee, option)

    def _oid(self, table: TableName) -> int:
        there = find(self._connection, table)
        if there is None:
            raise missing(table)
        return int(there["oid"])

    def _dependents(self, reason: str) -> Conflict:
        return Conflict(codes.TABLE_DEPENDENTS, f"{self._table} cannot be replaced: {reason}.")

    def _rows(self, query: str, **parameters: Any) -> list[DictRow]:
        return self._connection.execute(_QUERIES[query], parameters).fetchall()

    def _set_local(self, name: str, value: str) -> str:
        [row] = self._rows("set_local", name=name, value=value)
        return str(row["before"])

    def _execute(self, template: LiteralString, *parts: sql.Composable) -> None:
        self._connection.execute(sql.SQL(template).format(*parts))


def _option(option: str) -> sql.Composed:
    name, _, value = option.partition("=")
    return sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value))
