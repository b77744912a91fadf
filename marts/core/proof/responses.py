"""How the marts of a world respond to the changes of a project's invariants.

The marts are built twice, from the world and from the changed one, by the same SQL.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import ibis
import pyarrow as pa

from marts.core.authoring.invariants import Invariant
from marts.core.authoring.tables import Mart
from marts.core.plan.state import CompiledQuery
from marts.core.proof.building import WorldBuilder
from marts.core.proof.worlds import World
from marts.core.query.contract import schema_of
from marts.core.query.invariant_checks import changed_sources, may_stay, unexpected

BEFORE, AFTER = "marts__before", "marts__after"
"""The names of a mart's rows, where they are compared."""


@dataclass(frozen=True)
class Response:
    """How a mart responded to an invariant: in how many rows wrongly, and their keys, if known."""

    mart: str
    wrong: int
    keys: tuple[tuple[object, ...], ...] = ()


class Responses:
    """Compares marts of worlds with those of changed worlds.

    Each query is compiled once, and the marts of the world that was last asked for are built once.
    """

    def __init__(self, builder: WorldBuilder) -> None:
        self._builder = builder
        self._compiled: dict[object, CompiledQuery] = {}
        self._world: World | None = None
        self._built: dict[str, pa.Table] = {}

    def to(self, invariant: Invariant, marts: Collection[str], world: World) -> Iterator[Response]:
        """Yield the response of each mart. Raises EngineError for a change that does not fit."""
        before = self._before(world, marts)
        after = self._builder.build(self._changed(invariant, world), marts).tables
        engine = self._builder.engine
        for name in marts:
            mart = self._builder.graph.project.marts[name]
            if may_stay(invariant, mart) and _is_same(before[name], after[name], mart.grain):
                yield Response(name, 0)
                continue
            engine.show({BEFORE: before[name], AFTER: after[name]})
            rows = engine.rows(self._unexpected(invariant, mart))
            keys: tuple[tuple[object, ...], ...] = ()
            if {*mart.grain} <= {*rows.column_names}:
                keys = tuple(tuple(row.values()) for row in rows.select(mart.grain).to_pylist())
            wrong = rows.num_rows + _is_miscounted(invariant, mart, before[name], after[name])
            yield Response(name, wrong, keys)

    def _before(self, world: World, marts: Collection[str]) -> Mapping[str, pa.Table]:
        if self._world is not world:
            self._world, self._built = world, {}
        if missing := [name for name in marts if name not in self._built]:
            self._built |= self._builder.build(world, missing).tables
        return self._built

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
            # Many invariants change nothing: they have one query.
            self._compiled[key] = self._builder.compiled(rows)
        return self._compiled[key]


def _is_same(before: pa.Table, after: pa.Table, grain: Sequence[str]) -> bool:
    """Tell whether two tables have the same rows, and at most one of each key.

    A query finds no difference between such tables, and takes far longer. Of others, with NaN for
    example, which is never equal here, it must tell.
    """
    if not before.equals(after):
        if not grain:
            return False
        order = [(name, "ascending") for name in grain]
        if not before.sort_by(order).equals(after.sort_by(order)):
            return False
    keys = [*zip(*(before[name].to_pylist() for name in grain), strict=True)]
    return len({*keys}) == len(keys)


def _is_miscounted(invariant: Invariant, mart: Mart, before: pa.Table, after: pa.Table) -> bool:
    """Tell whether a mart that gains a known number of rows for each row has another number."""
    added = invariant.adds.get(mart.grain)
    if invariant.offending is not None or not added:
        return False
    return bool(after.num_rows != before.num_rows * (1 + added))
