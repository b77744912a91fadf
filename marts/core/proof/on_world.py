"""Run mutants on a world, on an engine that is handed it."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart
from marts.core.plan.state import CompiledQuery, Materialized, declared_state
from marts.core.project.graph import Graph
from marts.core.proof.example_scores import ExampleScores
from marts.core.proof.mutants import Mutant
from marts.core.proof.mutation import (
    MutantResult,
    MutationRun,
    PlannedMutants,
    Watch,
)
from marts.core.proof.worlds import World
from marts.core.run.world_engine import WorldEngine


def mutants_on_world(
    graph: Graph,
    mart: Mart,
    engine: WorldEngine,
    world: World,
    *,
    among: Collection[Mutant] | None = None,
    watch: Watch = lambda *_: None,
) -> MutationRun:
    """Build the mutants of a mart beside the original, and compare what readers would see.

    `among` has the mutants, perhaps of another date, that are run; by default, all are. Raises
    EngineError if an original fails, MartsError for a key with several rows.
    """
    return _planned(graph, mart, world).run(_Shown(engine, world), among=among, watch=watch)


def runs_on_worlds(
    graph: Graph,
    mart: Mart,
    engine: WorldEngine,
    worlds: Iterable[World],
    *,
    among: Collection[Mutant] | None = None,
    watch: Watch = lambda *_: None,
) -> Iterator[MutationRun]:
    """Yield the results of a mart's mutants on one world after another, as long as some survive.

    The arguments and errors are those of `mutants_on_world`.
    """
    # Worlds of a date, with the same sources, have their queries in common.
    planned: dict[tuple[datetime.date, frozenset[str]], PlannedMutants] = {}
    for world in worlds:
        if among is not None and not among:
            return
        key = world.as_of, frozenset(world.tables)
        if key not in planned:
            planned[key] = _planned(graph, mart, world)
        run = planned[key].run(_Shown(engine, world), among=among, watch=watch)
        among = surviving(run)
        yield run


def _planned(graph: Graph, mart: Mart, world: World) -> PlannedMutants:
    state = declared_state(graph.project, sources=world.tables)
    return PlannedMutants(graph, mart, state, FixedAsOf(world.as_of))


def together(runs: Sequence[MutationRun]) -> MutationRun:
    """Return the results of a mart's mutants on several worlds: killed if any of them killed it."""
    found = {each.mutant.key: each for each in runs[0].results}
    for run in runs[1:]:
        found |= {each.mutant.key: each for each in run.results if each.killed_by}
    return MutationRun(
        runs[0].mart, tuple(found.values()), sum((each.seconds for each in runs), 0.0)
    )


def surviving(run: MutationRun) -> list[Mutant]:
    """Return the mutants that nothing has killed."""
    return [each.mutant for each in run.results if each.killed_by is None]


def by_examples(scores: ExampleScores) -> MutationRun:
    """Return the results of a mart's mutants on its examples."""
    killed = [
        MutantResult(mutant, "rows", f"example {name}")
        for name, mutants in scores.killed.items()
        for mutant in mutants
    ]
    alive = [MutantResult(mutant, None) for mutant in scores.surviving]
    return MutationRun(scores.mart, (*killed, *alive), 0.0)


class _Shown:
    """An engine that shows one world, as the mutation analysis needs it."""

    def __init__(self, engine: WorldEngine, world: World) -> None:
        self._engine, self._world = engine, world
        self.compile = engine.compile

    def begin(self, run_id: str) -> None:  # noqa: ARG002
        """Show the world."""
        self._engine.show(self._world.tables)

    def build(
        self,
        name: str,
        query: CompiledQuery,
        *,
        kind: Materialized,
        comment: str,  # noqa: ARG002
        column_comments: Mapping[str, str],  # noqa: ARG002
    ) -> None:
        """Create a table or view, or replace it."""
        self._engine.build(name, query, kind=kind)

    def fetch(self, query: CompiledQuery, *, about: str) -> list[dict[str, Any]]:  # noqa: ARG002
        """Run a query and return its rows."""
        rows: list[dict[str, Any]] = self._engine.rows(query).to_pylist()
        return rows

    def discard(self) -> None:
        """Keep what was built: what is built next replaces it."""
