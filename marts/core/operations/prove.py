"""Prove marts: try them on worlds, on two engines, against references, and plant defects."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from marts.core.authoring.proofs import ForProof
from marts.core.operations import wiring
from marts.core.operations.wiring import Linked
from marts.core.project.graph import Graph
from marts.core.project.proof_modules import for_proof
from marts.core.project.settings import SNOWFLAKE, Settings, with_given
from marts.core.proof.building import WorldBuilder
from marts.core.proof.comparison import AnyTable
from marts.core.proof.conformity import conforming
from marts.core.proof.corpora import worlds_of
from marts.core.proof.equivalent_mutants import Equivalent, score
from marts.core.proof.mutants import Mutant
from marts.core.proof.mutation import MutationRun, rebuilt_and_observed
from marts.core.proof.on_world import mutants_on_worlds
from marts.core.proof.proving import Prover, Smallest
from marts.core.proof.references import Frames, Reference, calculate, references_of
from marts.core.proof.results import MartResult
from marts.core.proof.shrinking import links_between, smallest
from marts.core.proof.worlds import World
from marts.core.run.world_engine import WorldEngine

EMULATOR = "emulator"
"""The name of the local stand-in for Snowflake, as an engine."""
SECONDS_TO_REDUCE = 20
"""How long a world with a failure is made smaller."""


@dataclass(frozen=True, kw_only=True)
class ProveOptions:
    """What a proof tries.

    `quick` leaves out Snowflake's SQL and planted defects, so it proves nothing. `connection` names
    a real account to try the worlds on, instead of the emulator. `allowed` are the mutants that no
    data can tell from the original. Worlds are drawn at random for `seconds`.
    """

    quick: bool = False
    connection: str | None = None
    allowed: tuple[Equivalent, ...] = ()
    seconds: float = 15


@dataclass(frozen=True)
class Tried:
    """What was tried, and what did not hold, in the order in which marts are built.

    `worlds` has the number of worlds by where they come from, `engines` the names of the engines.
    """

    results: tuple[MartResult, ...]
    worlds: Mapping[str, int]
    engines: tuple[str, ...]
    seconds: float

    @property
    def has_failed(self) -> bool:
        """Whether anything did not hold of any mart."""
        return any(each.has_failed for each in self.results)


Watch = Callable[[str], None]
"""Told what is tried now."""


def prove(
    settings: Settings, options: ProveOptions, *, watch: Watch, project: Linked | None = None
) -> Tried:
    """Try the selected marts. The project is loaded unless it is given.

    Raises MartsError for declarations that are wrong, and for an engine that cannot be reached.
    """
    start = time.perf_counter()
    graph, selected, _ = wiring.selected(settings, project)
    declared = for_proof(graph.project, settings)
    references = references_of(graph, declared)
    with _engines(settings, options, watch) as (duckdb, others), _reduction(graph) as smallest:
        prover = Prover(
            graph,
            selected,
            _twins(graph, references),
            WorldBuilder(graph, duckdb),
            [WorldBuilder(graph, each) for each in others],
            smallest=smallest,
        )
        watch("making worlds")
        corpora = tuple(_corpora(graph, declared, duckdb))
        for world in corpora:
            watch(f"{world.origin}: {world.rows:,} rows")
            prover.try_world(world, on_others=True)
            prover.try_invariants(world)
        mutants = {} if options.quick else _mutants(graph, selected, duckdb, corpora, watch)
        engines = tuple(each.name for each in (duckdb, *others))
    results = [
        _result(prover, name, references, mutants.get(name), options.allowed) for name in selected
    ]
    counted = {world.origin: 1 for world in corpora}
    return Tried(tuple(results), counted, engines, time.perf_counter() - start)


def _corpora(graph: Graph, declared: Sequence[ForProof], engine: WorldEngine) -> Iterator[World]:
    """Yield the data sets that are tried in any case."""
    yield from worlds_of(graph, declared, engine)


@contextmanager
def _engines(
    settings: Settings, options: ProveOptions, watch: Watch
) -> Iterator[tuple[WorldEngine, tuple[WorldEngine, ...]]]:
    """Open DuckDB, and what executes Snowflake's SQL: an account if one is named."""
    from backends.factory import worlds_on_duckdb

    duckdb = worlds_on_duckdb()
    try:
        if options.quick:
            yield duckdb, ()
            return
        watch("opening Snowflake" if options.connection else "starting the emulator")
        with _snowflake(settings, options) as snowflake:
            yield duckdb, (snowflake,)
    finally:
        duckdb.close()


@contextmanager
def _reduction(graph: Graph) -> Iterator[Smallest]:
    """Give what makes a world smaller, with a DuckDB of its own for the checks of sources."""
    from backends.factory import worlds_on_duckdb

    engine = worlds_on_duckdb()
    builder, links = WorldBuilder(graph, engine), links_between(graph)

    def reduced(world: World, differs: Callable[[World], bool], mart: str) -> World:
        holds = conforming(builder, world)
        return smallest(
            world,
            differs,
            graph,
            seconds=SECONDS_TO_REDUCE,
            marts=[mart],
            holds=holds,
            links=links,
        )

    try:
        yield reduced
    finally:
        engine.close()


@contextmanager
def _snowflake(settings: Settings, options: ProveOptions) -> Iterator[WorldEngine]:
    from backends.factory import emulated_connection, worlds_on_snowflake

    settings = with_given(settings, backend=SNOWFLAKE, connection=options.connection or EMULATOR)
    open_ = partial(worlds_on_snowflake, version=wiring.version_of_marts(), run_id=wiring.run_id())
    with ExitStack() as stack:
        if options.connection:
            engine = open_(settings)
        else:
            parameters = stack.enter_context(emulated_connection())
            # The settings' own database is in an account, not in the emulator.
            place = with_given(settings, database=None)
            engine = open_(place, name=EMULATOR, parameters=parameters)
        stack.callback(engine.close)
        yield engine


def _twins(
    graph: Graph, references: Mapping[str, Reference]
) -> Mapping[str, Callable[[World], AnyTable]]:
    """Return what calculates each mart that has a twin; the twins of a world share its frames."""
    last: list[Frames] = []

    def frames(world: World) -> Frames:
        if not last or last[0].world is not world:
            last[:] = [Frames(world, graph.project.sources)]
        return last[0]

    def calculated(reference: Reference, world: World) -> AnyTable:
        return calculate(reference, frames(world))

    return {name: partial(calculated, each) for name, each in references.items()}


def _mutants(
    graph: Graph,
    selected: Collection[str],
    engine: WorldEngine,
    corpora: Sequence[World],
    watch: Watch,
) -> Mapping[str, MutationRun]:
    """Run the mutants of each mart on one world after another, as long as some survive."""

    def told(mutant: Mutant, number: int, total: int) -> None:
        watch(f"{mutant.mart.name}: mutant {number + 1} of {total}")

    marts = graph.project.marts
    return {
        name: mutants_on_worlds(graph, marts[name], engine, corpora, watch=told)
        for name in selected
    }


def _result(
    prover: Prover,
    name: str,
    references: Mapping[str, Reference],
    mutants: MutationRun | None,
    allowed: Sequence[Equivalent],
) -> MartResult:
    mart = prover.graph.project.marts[name]
    _, observed = rebuilt_and_observed(prover.graph, mart)
    readers = tuple(each for each in observed if each != name and each in references)
    return MartResult(
        mart=name,
        worlds=prover.worlds[name],
        engines=prover.agreed[name],
        has_twin=name in references,
        invariants=len(prover.held[name]),
        exempt=len(mart.exempt),
        readers=readers if len(readers) == len(observed) else (),
        mutants=score(mutants, allowed) if mutants else None,
        failures=tuple(each for (its, _), each in prover.failures.items() if its == name),
        seconds=prover.seconds[name] + (mutants.seconds if mutants else 0),
    )
