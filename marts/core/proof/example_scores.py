"""Score examples by the mutants that they kill: the mistakes in the mart that they would notice.

Each mutant runs on the rows of one example after another, until one gives other rows in the columns
that are expected. Queries are compiled once for all examples of a date.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import ibis.expr.types as ir
from ibis.common.exceptions import IbisError

from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart
from marts.core.errors import MartsError
from marts.core.plan.state import CompiledQuery
from marts.core.proof.building import WorldBuilder
from marts.core.proof.comparison import compared_rows
from marts.core.proof.examples import Example, ExampleResult
from marts.core.proof.guarantees import guarantees_of
from marts.core.proof.impact import affected_columns
from marts.core.proof.mutants import Key, Mutant, mutants_of
from marts.core.proof.partial_compilation import (
    SharedTables,
    Surroundings,
    query_around,
    surroundings_of,
)
from marts.core.proof.worlds import World


@dataclass(frozen=True)
class ExampleScores:
    """Which mutants of a mart its examples kill.

    `killed` has, by the name of each example that holds, those that it is the first to kill, in the
    order of the names. `surviving` are those that no example kills.
    """

    mart: Mart
    killed: Mapping[str, tuple[Mutant, ...]]
    surviving: tuple[Mutant, ...]

    @property
    def mutants(self) -> int:
        """How many mutants there are."""
        return len(self.surviving) + sum(map(len, self.killed.values()))


def score_examples(
    builder: WorldBuilder, mart: Mart, results: Iterable[ExampleResult]
) -> ExampleScores:
    """Return which mutants of a mart would be noticed by its examples that hold.

    A mutant is noticed if the engine refuses it, or if its rows differ from the expected ones in
    the expected columns. Without an example that holds there are no mutants.
    """
    holding = [each.example for each in results if each.holds and each.example.mart == mart]
    trials: dict[tuple[datetime.date, frozenset[str]], _Trials] = {}
    killed: dict[str, tuple[Mutant, ...]] = {}
    alive: dict[Key, Mutant] = {}
    dead = set[Key]()
    for example in holding:
        key = example.world.as_of, frozenset(example.world.tables)
        if key not in trials:
            trials[key] = _Trials(builder, mart, example.world)
        trial = trials[key]
        left = {each.key: each for each in trial.mutants if each.key not in dead}
        noticed = {name: each for name, each in left.items() if trial.notices(example, each)}
        killed[example.name] = tuple(noticed.values())
        dead |= noticed.keys()
        alive = {**left, **alive}
    surviving = tuple(mutant for name, mutant in alive.items() if name not in dead)
    return ExampleScores(mart, killed, surviving)


class _Trials:
    """Runs the mutants of a mart on examples of the same date and sources."""

    def __init__(self, builder: WorldBuilder, mart: Mart, world: World) -> None:
        self.builder, self.engine, self.mart = builder, builder.engine, mart
        tables = builder.queries(world).tables
        guarantees = guarantees_of(builder.graph.project)
        self.mutants = mutants_of(mart, tables, FixedAsOf(world.as_of), guarantees=guarantees)
        self._inputs = [name for name in mart.inputs if name in builder.graph.project.marts]
        self._changed = f"{mart.name}__changed"
        self._shared = SharedTables(f"{mart.name}__unchanged_", self._found_shared)
        self._of_shared: dict[str, CompiledQuery] = {}
        self._of_change: dict[Key, CompiledQuery] = {}
        self._around: dict[Surroundings, CompiledQuery] = {}
        self._world: World | None = None

    def notices(self, example: Example, mutant: Mutant) -> bool:
        """Tell whether a mutant gives other rows than an example expects."""
        names = frozenset(example.expected.column_names)
        change = mutant.change
        affected = affected_columns(change.relations, change.old, change.new)
        if affected < frozenset(change.original.schema.names) and not affected & names:
            return False
        try:
            self._show(example.world)
            self.engine.build(self._changed, self._query_of(mutant), kind="view")
            around = self._query_around(surroundings_of(change, names))
            actual = self.engine.rows(around).select(example.expected.column_names)
        except (MartsError, IbisError):
            return True
        return bool(compared_rows(self.mart, actual, example.expected))

    def _show(self, world: World) -> None:
        """Build what the mart reads from a world, and what its mutants share."""
        if self._world is world:
            return
        self.builder.build(world, self._inputs)
        self.engine.show(world.tables)
        for name, query in self._of_shared.items():
            self.engine.build(name, query, kind="table")
        self._world = world

    def _found_shared(self, name: str, query: ir.Table) -> None:
        self._of_shared[name] = self.engine.compile(query)
        self.engine.build(name, self._of_shared[name], kind="table")

    def _query_of(self, mutant: Mutant) -> CompiledQuery:
        key = mutant.key
        if key not in self._of_change:
            self._of_change[key] = self.engine.compile(self._shared.query_of(mutant.change))
        return self._of_change[key]

    def _query_around(self, surroundings: Surroundings) -> CompiledQuery:
        if surroundings not in self._around:
            query = query_around(self.mart, surroundings, self._changed)
            self._around[surroundings] = self.engine.compile(query)
        return self._around[surroundings]
