"""How the marts of a world respond to the changes of a project's invariants.

The marts are built twice, from the world and from the changed one, by the same SQL.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import ibis
import pyarrow as pa

from marts.core.authoring.invariants import Invariant
from marts.core.authoring.tables import Mart
from marts.core.plan.state import CompiledQuery
from marts.core.proof.building import WorldBuilder
from marts.core.proof.worlds import World
from marts.core.query.contract import schema_of
from marts.core.query.invariant_checks import changed_sources, unexpected

BEFORE, AFTER = "marts__before", "marts__after"
"""The names of a mart's rows, where they are compared."""


@dataclass(frozen=True)
class Response:
    """How a mart responded to an invariant: in how many rows wrongly, and their keys, if known."""

    mart: str
    wrong: int
    keys: tuple[tuple[object, ...], ...] = ()


class Responses:
    """Compares marts of worlds with those of changed worlds; each query is compiled once."""

    def __init__(self, builder: WorldBuilder) -> None:
        self._builder = builder
        self._compiled: dict[object, CompiledQuery] = {}

    def to(self, invariant: Invariant, marts: Collection[str], world: World) -> Iterator[Response]:
        """Yield the response of each mart. Raises EngineError for a change that does not fit."""
        before = self._builder.build(world, marts).tables
        after = self._builder.build(self._changed(invariant, world), marts).tables
        engine = self._builder.engine
        for name in marts:
            mart = self._builder.graph.project.marts[name]
            engine.show({BEFORE: before[name], AFTER: after[name]})
            rows = engine.rows(self._unexpected(invariant, mart))
            keys: tuple[tuple[object, ...], ...] = ()
            if {*mart.grain} <= {*rows.column_names}:
                keys = tuple(tuple(row.values()) for row in rows.select(mart.grain).to_pylist())
            wrong = rows.num_rows + _is_miscounted(invariant, mart, before[name], after[name])
            yield Response(name, wrong, keys)

    def _changed(self, invariant: Invariant, world: World) -> World:
        key = invariant.name, world.as_of, frozenset(world.tables)
        engine, graph = self._builder.engine, self._builder.graph
        if key not in self._compiled:
            queries = self._builder.queries(world)
            tables = changed_sources(invariant, graph, queries.tables, queries.as_of)
            self._compiled[key] = engine.compile(tables[invariant.source])
        engine.show(world.tables)
        schema = schema_of(graph.project.sources[invariant.source].columns).to_pyarrow()
        rows = engine.rows(self._compiled[key]).cast(schema)
        return replace(world, tables={**world.tables, invariant.source: rows})

    def _unexpected(self, invariant: Invariant, mart: Mart) -> CompiledQuery:
        key = invariant.name, mart.name
        if key not in self._compiled:
            before, after = (
                ibis.table(schema_of(mart.columns), name=name) for name in (BEFORE, AFTER)
            )
            rows = unexpected(invariant, mart, before, after)
            self._compiled[key] = self._builder.engine.compile(rows)
        return self._compiled[key]


def _is_miscounted(invariant: Invariant, mart: Mart, before: pa.Table, after: pa.Table) -> bool:
    """Tell whether a mart that gains a known number of rows for each row has another number."""
    added = invariant.adds.get(mart.grain)
    if invariant.offending is not None or not added:
        return False
    return bool(after.num_rows != before.num_rows * (1 + added))
