"""What engines share: SQL trees, comments, and reading the state table."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol, cast

import ibis.expr.operations as ops
import ibis.expr.types as ir
import sqlglot.expressions as sge

from marts.core.errors import UsageError
from marts.core.plan.proofs import PROOFS_COLUMNS, PROOFS_TABLE, Proof
from marts.core.plan.runs import RUNS_COLUMNS, RUNS_KEY, RUNS_TABLE, RecordedRun
from marts.core.plan.state import (
    EARLIER_STATE_TABLE,
    STATE_COLUMNS,
    CompiledQuery,
    Materialized,
    Query,
    RecordedTable,
    group_of_state,
)
from marts.core.run.backend import Backend

if TYPE_CHECKING:
    from ibis.backends.sql.compilers.base import SQLGlotCompiler


class Fetching(Protocol):
    """What runs queries over the bare names of tables."""

    def fetch(self, query: Query, *, about: str) -> list[dict[str, Any]]:
        """Run a query and return its rows."""


def recorded(backend: Fetching, tables: Collection[str]) -> list[RecordedTable]:
    """Return the rows of the state tables of all groups, as far as these are among `tables`."""

    def rows_of(table: str) -> list[dict[str, Any]]:
        if table not in tables:
            return []
        return backend.fetch(sge.select("*").from_(sge.table_(table)), about=table)

    found = [
        _recorded(row, table, group)
        for table in sorted(tables)
        if (group := group_of_state(table)) is not None
        for row in rows_of(table)
    ]
    known = {row.name for row in found}
    earlier = [row for row in rows_of(EARLIER_STATE_TABLE) if row["mart"] not in known]
    return found + [
        RecordedTable(None, row["mart"], "table", row["run_id"], row["as_of"]) for row in earlier
    ]


def _recorded(row: Mapping[str, Any], table: str, group: str) -> RecordedTable:
    columns = [each.name for each in fields(RecordedTable) if each.name in STATE_COLUMNS]
    # An earlier version recorded no proof.
    columns = [name for name in columns if name in row or name != "proof"]
    try:
        return RecordedTable(**{name: row[name] for name in columns}, group=group)
    except KeyError as error:
        raise UsageError(
            f"the table {table} was not made by marts: it has no column {error.args[0]}",
            hint="rename that table, or use another --schema",
        ) from error


def own_place(environment: str, where: str) -> UsageError:
    """Return the error for deferring to the place that marts are published to."""
    return UsageError(
        f"{environment} publishes its marts where this run does: {where}",
        hint="defer to another environment, or choose another --schema or --database",
    )


@dataclass(frozen=True)
class OwnTable:
    """A table of marts' own: its columns, and those among them that every version's table has."""

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]


RUNS = OwnTable(RUNS_TABLE, RUNS_COLUMNS, RUNS_KEY)
PROOFS = OwnTable(PROOFS_TABLE, PROOFS_COLUMNS, tuple(PROOFS_COLUMNS))


def columns_to_add(table: OwnTable, found: Collection[str]) -> dict[str, str]:
    """Return the columns that an existing table lacks, with their types.

    `found` are its own in lower case. Raises UsageError if marts did not make it.
    """
    if missing := [name for name in table.key if name not in found]:
        raise UsageError(
            f"the table {table.name} was not made by marts: it has no column {missing[0]}",
            hint="rename that table, or use another --schema",
        )
    return {name: kind for name, kind in table.columns.items() if name not in found}


def proofs_query(package: str, digests: Collection[str], mart: str | None) -> sge.Select:
    """Return a query, still without its table, of the records with some digests, or of a mart.

    Those of a mart are the last ones, at most 20.
    """
    query = sge.select(_column("record")).where(_column("package").eq(package))
    if mart is None:
        return query.where(_column("digest").isin(*sorted(digests)))
    newest_first = sge.Ordered(this=_column("proved_at"), desc=True)
    return query.where(_column("mart").eq(mart)).order_by(newest_first).limit(20)


def _column(name: str) -> sge.Column:
    return sge.column(name, quoted=True)


def proofs_in(rows: Iterable[tuple[Any, ...]]) -> list[Proof]:
    """Return the proofs in rows of one text, except those of another version of marts."""
    return [proof for (text,) in rows if (proof := Proof.from_text(text))]


def proof_rows(proofs: Iterable[Proof]) -> Iterator[dict[str, object]]:
    """Yield the row of each proof, without the user and the role."""
    for proof in proofs:
        row: dict[str, object] = {
            "package": proof.package,
            "mart": proof.mart,
            "digest": proof.digest,
            "level": proof.level,
            "proved_at": proof.proved_at,
            "record": proof.to_text(),
        }
        yield {name: row.get(name) for name in PROOFS_COLUMNS}


def publishing_runs(backend: Backend, *, but: str, since: datetime.datetime) -> list[RecordedRun]:
    """Return the runs except one, begun since then, that are publishing, the most recent first.

    There are at most 20. Runs that were killed while they published are among them. The table of
    runs must exist.
    """
    query = (
        sge.select("*")
        .from_(sge.table_(RUNS_TABLE))
        .where(sge.column("status").eq("publishing"))
        .where(sge.column("run_id").neq(but))
        .order_by("publishing_since DESC")
        .limit(20)
    )

    def run_of(row: Mapping[str, Any]) -> RecordedRun:
        return RecordedRun(**{name: row[name] for name in row if name in RUNS_COLUMNS})

    runs = [run_of(row) for row in backend.fetch(query, about=RUNS_TABLE)]
    return [run for run in runs if run.started_at >= since]


def compiled_by(
    compiler: Callable[[], SQLGlotCompiler], query: Query, dialect: str
) -> CompiledQuery:
    """Return a query in a dialect, over bare names; a compiled query is returned as it is."""
    if isinstance(query, CompiledQuery):
        return query
    if isinstance(query, sge.Query):
        tree, columns = query, tuple(query.named_selects)
    else:
        tree, columns = tree_of(query, compiler()), tuple(query.columns)
    return CompiledQuery(tree, columns, frozenset(bare_names(tree)), dialect)


def tree_of(query: ir.Table, compiler: SQLGlotCompiler) -> sge.Query:
    """Return a query's SQL as a tree whose every node can be reached."""
    tree = compiler.to_sqlglot(_selecting(query))
    for node in tree.dfs():
        for name, value in node.args.items():
            # Ibis puts a window's keys into tuples, and SQLGlot does not traverse those.
            if isinstance(value, tuple):
                node.set(name, list(value))
    return cast("sge.Query", tree)


def _selecting(query: ir.Table) -> ir.Table:
    """Return a query in which each scalar is one of a query: Ibis takes a table's name for one."""
    tables = (ops.PhysicalTable, ops.Reference)
    found = query.op().find(ops.ScalarSubquery)
    selecting = {
        each: ops.ScalarSubquery(each.rel.to_expr().select(each.rel.schema.names[0]))
        for each in found
        if isinstance(each.rel, tables)
    }
    return query.op().replace(selecting).to_expr() if selecting else query


def bare_names(tree: sge.Query) -> set[str]:
    """Return the relations that a query names without a schema, except its own CTEs."""
    named = {table.name for table in tree.find_all(sge.Table) if not table.db}
    return named - {cte.alias for cte in tree.find_all(sge.CTE)}


def relocate(tree: sge.Query, qualified: Mapping[str, sge.Table | sge.Subquery]) -> sge.Query:
    """Return a copy of a query in which qualified names replace bare ones."""

    def move(node: sge.Expression) -> sge.Expression:
        if not isinstance(node, sge.Table) or node.db or node.name not in qualified:
            return node
        found = qualified[node.name].copy()
        found.set(
            "alias", node.args.get("alias") or sge.TableAlias(this=sge.to_identifier(node.name))
        )
        return found

    return cast("sge.Query", tree.transform(move))


def comment_statements(
    table: sge.Table, *, kind: Materialized, comment: str, column_comments: Mapping[str, str]
) -> list[sge.Comment]:
    """Return the statements that comment a relation and its columns."""
    parts = {part: table.args.get(part) for part in ("db", "catalog")}
    about: list[tuple[sge.Expression, str, str]] = [(table, kind.upper(), comment)]
    for name, text in column_comments.items():
        column = sge.Column(this=sge.to_identifier(name, quoted=True), table=table.this, **parts)
        about.append((column, "COLUMN", text))
    return [
        sge.Comment(this=this, kind=what, expression=sge.Literal.string(text))
        for this, what, text in about
    ]
