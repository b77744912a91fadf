"""Run mutants on a world, on an engine that is handed it."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart
from marts.core.plan.state import CompiledQuery, Materialized, declared_state
from marts.core.project.graph import Graph
from marts.core.proof.mutants import Mutant
from marts.core.proof.mutation import MutationRun, PlannedMutants, Watch, identity
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
    EngineError if an original fails.
    """
    return _planned(graph, mart, world).run(_Shown(engine, world), among=among, watch=watch)


def _planned(graph: Graph, mart: Mart, world: World) -> PlannedMutants:
    state = declared_state(graph.project, sources=world.tables)
    return PlannedMutants(graph, mart, state, FixedAsOf(world.as_of))


def mutants_on_worlds(
    graph: Graph,
    mart: Mart,
    engine: WorldEngine,
    worlds: Sequence[World],
    *,
    watch: Watch = lambda *_: None,
) -> MutationRun:
    """Run the mutants of a mart on one world after another, as long as some survive.

    Raises EngineError if an original fails.
    """
    alive: list[Mutant] | None = None
    planned: dict[tuple[datetime.date, frozenset[str]], PlannedMutants] = {}
    runs = []
    for world in worlds:
        key = world.as_of, frozenset(world.tables)
        if key not in planned:
            planned[key] = _planned(graph, mart, world)
        runs.append(planned[key].run(_Shown(engine, world), among=alive, watch=watch))
        alive = [each.mutant for each in runs[-1].results if each.killed_by is None]
        if not alive:
            break
    return together(runs)


def together(runs: Sequence[MutationRun]) -> MutationRun:
    """Return the results of a mart's mutants on several worlds: killed if any of them killed it."""
    found = {identity(each.mutant): each for each in runs[0].results}
    for run in runs[1:]:
        found |= {identity(each.mutant): each for each in run.results if each.killed_by}
    return MutationRun(
        runs[0].mart, tuple(found.values()), sum((each.seconds for each in runs), 0.0)
    )


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
