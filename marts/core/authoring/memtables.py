"""Write the rows of an author's `ibis.memtable` into the query, so that engines need no table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.errors import DefinitionError

Result = TypeVar("Result")

MOST_ROWS = 1_000
"""The most rows that a memtable may have; a larger one should be a source."""


def written_out(result: Result, *, what: str, location: str) -> Result:
    """Return an expression with the rows of its memtables written into it; other objects as is.

    Raises DefinitionError, with `what` and `location`, for a memtable of too many rows.
    """
    if not isinstance(result, ir.Expr):
        return result
    found = result.op().find(ops.InMemoryTable)
    if not found:
        return result
    rows = {each: each.data.to_pyarrow(each.schema).to_pylist() for each in found}
    most = max(map(len, rows.values()))
    if most > MOST_ROWS:
        raise DefinitionError(
            f"{what} has a memtable of {most:,} rows, too many to be written into a query",
            location,
            hint=f"write {MOST_ROWS:,} rows at most, or make a source of it",
        )
    written = {table: _table(table, each) for table, each in rows.items()}
    return result.op().replace(written).to_expr()  # type: ignore[no-any-return]


def _table(table: ops.InMemoryTable, rows: Sequence[dict[str, Any]]) -> ops.Relation:
    if not rows:
        nothing = ops.DummyTable({n: ibis.null(t).op() for n, t in table.schema.items()})
        return ops.Filter(nothing, [ibis.literal(False).op()])
    return _union([_row(row, table) for row in rows])


def _row(row: dict[str, Any], table: ops.InMemoryTable) -> ops.Relation:
    values = {
        name: ibis.null(kind) if row[name] is None else ibis.literal(row[name], type=kind)
        for name, kind in table.schema.items()
    }
    return ops.DummyTable({name: value.op() for name, value in values.items()})


def _union(rows: Sequence[ops.Relation]) -> ops.Relation:
    """Return the union of all rows, as a balanced tree, so that many rows are not nested deeply."""
    if len(rows) == 1:
        return rows[0]
    middle = len(rows) // 2
    return ops.Union(_union(rows[:middle]), _union(rows[middle:]), distinct=False)
