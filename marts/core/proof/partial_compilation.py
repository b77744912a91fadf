"""Compile only what each mutant changes, and share the tables and queries of the rest.

Mutation testing spends most of its time on compiling expressions, and the mutants of a mart are
almost the same. So a mutant is built in three parts: tables of what its changed relation reads,
which it shares with the original; the changed relation, as a view over these tables; and the mart's
query over that view, which it shares with all mutants that change the same relation. The rows are
the same as those of the mutant's whole query, which the tests prove for every mutant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.authoring.tables import Mart
from marts.core.proof.mutants import Change, conformed


@dataclass(frozen=True)
class Surroundings:
    """A mart without one of its relations, which is read from a view instead.

    Mutants with the same surroundings have the same query. `columns` are the columns of the mart
    that are compared, besides its grain.
    """

    original: ops.Relation
    replaced: ops.Relation
    schema: ibis.Schema
    """The columns of the view, whose types may differ from those of `replaced`."""
    columns: frozenset[str]


def surroundings_of(change: Change, columns: frozenset[str]) -> Surroundings:
    """Return the part of a mart that a change does not touch."""
    return Surroundings(change.original, change.old, change.new.schema, columns)


def query_around(mart: Mart, surroundings: Surroundings, view: str) -> ir.Table:
    """Return the query of a mart that reads its changed relation from a view.

    It has only the columns that are compared, and the grain.
    """
    changed = ibis.table(surroundings.schema, name=view).op()
    table = ir.Table(surroundings.original.replace({surroundings.replaced: changed}))
    kept = {*surroundings.columns, *mart.grain}
    columns = tuple(column for column in mart.columns if column.name in kept)
    return conformed(replace(mart, columns=columns), table)


class SharedTables:
    """Tables of the relations that a mart's mutants share with the original, built on demand."""

    def __init__(self, prefix: str, build: Callable[[str, ir.Table], None]) -> None:
        self._prefix = prefix
        self._build = build
        self._tables: dict[ops.Node, ops.Relation] = {}

    def query_of(self, change: Change) -> ir.Table:
        """Return the query of a changed relation, over tables that the original shares."""
        shared, above = _shared_and_above(change)
        tables = {relation: self._table_of(relation) for relation in shared}
        # The many operations below the shared relations are not visited.
        return ir.Table(change.new.replace(tables, filter=(shared | above).__contains__))

    def _table_of(self, relation: ops.Relation) -> ops.Relation:
        if relation not in self._tables:
            name = f"{self._prefix}{len(self._tables)}"
            self._build(name, ir.Table(relation))
            self._tables[relation] = ibis.table(relation.schema, name=name).op()
        return self._tables[relation]


def _shared_and_above(change: Change) -> tuple[set[ops.Node], set[ops.Node]]:
    """Return the topmost relations that a change shares with the original, and all above them.

    A relation that is a table already is not among them.
    """
    shared, above, waiting = set[ops.Node](), set[ops.Node](), [change.new]
    original = set(change.relations)
    # A limit depends on the order of the rows below it, which a table does not keep.
    is_ordered = any(isinstance(op, ops.Limit) for op in change.relations)
    while waiting:
        op = waiting.pop()
        if op in original and not is_ordered and not isinstance(op, TABLES):
            shared.add(op)
        elif op not in above:
            above.add(op)
            waiting += op.__children__
    return shared, above


TABLES = (ops.PhysicalTable, ops.Reference)
