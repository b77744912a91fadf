"""Compare the copies of a mart from two sides, in a DuckDB of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import ibis
import ibis.expr.types as ir

from marts.core.authoring.columns import personal_in
from marts.core.operations import wiring
from marts.core.operations.sides import Copied, Copy, Shape, shape_of
from marts.core.project.graph import Graph
from marts.core.project.settings import DUCKDB, Settings
from marts.core.query.alignment import aligned
from marts.core.query.comparison import AFTER, BEFORE, SIDES, Comparison, cast
from marts.core.run.backend import Backend, Contract
from marts.core.run.compared import MartDifference
from marts.core.run.comparing import Sides, compared

MEMORY = "2GB"
"""What DuckDB may use for a comparison, unless the settings say it."""


def difference(
    graph: Graph,
    name: str,
    before: Copied,
    after: Copied,
    settings: Settings,
    folder: Path,
    shown: int,
) -> MartDifference:
    """Compare the copies of one mart; a folder has room for what does not fit into memory."""
    mart, first, second = shape_of(graph, name), before.marts.get(name), after.marts.get(name)
    plain = MartDifference(
        mart=name,
        grain=mart.grain,
        rows=(first.rows if first else None, second.rows if second else None),
        as_of=(first.as_of if first else None, second.as_of if second else None),
    )
    others = _of_other_packages(graph, (first, second))
    if first is None or second is None:
        return replace(plain, notes=(f"only {BEFORE if second is None else AFTER} has it",))
    columns = {column.name: column for column in mart.columns}
    is_one = before.engine == after.engine
    how = aligned(columns, mart.grain, first.found, second.found, one_engine=is_one)
    how = replace(how, notes=(*how.notes, *others))
    if how.comparison is None:
        return replace(plain, notes=how.notes)
    former = shape_of(before.code.graph, name) if before.code else mart
    with _opened(settings, {BEFORE: first, AFTER: second}, folder) as backend:
        found = compared(
            _tables(mart, how.comparison, (first, second), how.notes, shown, former), backend
        )
    return replace(found, as_of=plain.as_of)


def _of_other_packages(graph: Graph, copies: tuple[Copy | None, Copy | None]) -> tuple[str, ...]:
    return tuple(
        f"in {side}, it was published by another package, {copy.package}"
        for side, copy in zip(SIDES, copies, strict=True)
        if copy and copy.package not in (None, graph.project.package)
    )


def _tables(
    mart: Shape,
    comparison: Comparison,
    copies: tuple[Copy, Copy],
    notes: tuple[str, ...],
    shown: int,
    former: Shape,
) -> Sides:
    """Return two tables with the same columns and types, of which the rows can be paired."""
    before, after = (
        _with_types(ibis.table(ibis.schema(dict(copy.types)), name=side), comparison)
        for side, copy in zip(SIDES, copies, strict=True)
    )
    known = {column.name for column in mart.columns}
    # What the contract does not know may hold personal data.
    personal = {
        *personal_in(mart.columns),
        *personal_in(former.columns),
        *(comparison.types.keys() - known),
    }
    return Sides(mart.name, comparison, before, after, personal, notes, shown)


def _with_types(table: ir.Table, comparison: Comparison) -> ir.Table:
    return table.select(
        **{
            name: table[name] if table[name].type() == kind else cast(table[name], kind)
            for name, kind in comparison.types.items()
        }
    )


@contextmanager
def _opened(settings: Settings, copies: Mapping[str, Copy], folder: Path) -> Iterator[Backend]:
    """Open DuckDB on copies, with room for what does not fit into memory."""
    from backends.factory import connect

    own = Settings(
        database=str(folder / "comparison.duckdb"),
        sources={name: str(copy.file.resolve()) for name, copy in copies.items()},
        threads=settings.threads if settings.backend == DUCKDB else None,
        memory_limit=settings.memory_limit or MEMORY,
    )
    backend = connect(
        own,
        data=None,
        # No message quotes a value.
        sources={
            name: Contract(ibis.schema(dict(copy.types)), personal=frozenset(copy.types))
            for name, copy in copies.items()
        },
        version=wiring.version_of_marts(),
        read_only=False,
    )
    try:
        yield backend
    finally:
        backend.close()
