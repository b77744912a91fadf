"""Prove marts: try them on worlds, on two engines, against references, and plant defects."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from marts.core.analysis.rules import Finding
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.proofs import ForProof
from marts.core.operations import wiring
from marts.core.operations.proof_cases import CASES, Columns, columns_that_matter, saved_cases
from marts.core.operations.proof_engines import on_duckdb, on_snowflake, shrinking
from marts.core.operations.wiring import Linked
from marts.core.plan.findings import findings_of, refuse_not_repeatable
from marts.core.plan.planner import plan_run
from marts.core.plan.state import declared_state
from marts.core.project.graph import Graph
from marts.core.project.proof_modules import for_proof, unread_twins
from marts.core.project.settings import Settings
from marts.core.proof.building import WorldBuilder
from marts.core.proof.canonical import KnownQueries
from marts.core.proof.comparison import AnyTable
from marts.core.proof.corpora import worlds_of
from marts.core.proof.corpus import AS_OF
from marts.core.proof.equivalent_mutants import Equivalent, score
from marts.core.proof.example_scores import ExampleScores, score_examples
from marts.core.proof.examples import Example, examples_of, read_example
from marts.core.proof.mutants import Mutant
from marts.core.proof.mutation import MutationRun, rebuilt_and_observed
from marts.core.proof.on_world import by_examples, runs_on_worlds, surviving, together
from marts.core.proof.proving import Prover, is_tried
from marts.core.proof.references import Frames, Reference, calculate, references_of
from marts.core.proof.results import Kind, MartResult
from marts.core.proof.worlds import World
from marts.core.run.world_engine import WorldEngine

QUICK_SECONDS, LEAST_SECONDS = 6.5, 1
"""When a quick try ends with what it need not try, and for how long it tries it in any case.

To start and to record takes three seconds more: ten in all, for our marts.
"""
SECONDS_TO_DRAW, MOST_DRAWN = 15, 1_000
"""How long small worlds are drawn, and how many at most."""


@dataclass(frozen=True, kw_only=True)
class ProveOptions:
    """What a proof tries.

    `quick` leaves out Snowflake's SQL and planted defects, so it proves nothing. `connection` names
    a real account to try the worlds on, instead of the emulator. `allowed` are the mutants that no
    data can tell from the original. `case` is a saved failure, which is tried again, and nothing
    else.
    """

    quick: bool = False
    connection: str | None = None
    allowed: tuple[Equivalent, ...] = ()
    case: Path | None = None


@dataclass(frozen=True)
class Tried:
    """What was tried, and what did not hold, in the order in which marts are built.

    `worlds` has the number of worlds by where they come from, `engines` the names of the engines.
    """

    graph: Graph
    results: tuple[MartResult, ...]
    worlds: Mapping[str, int]
    engines: tuple[str, ...]
    is_partial: bool
    """Whether less was tried than a proof takes: in a quick try, or that of a case."""
    allowed: tuple[Equivalent, ...]
    seconds: float
    cases: Mapping[tuple[str, Kind], Path]
    """Where each failure is saved, by mart and kind, as an example that can be tried again."""
    findings: tuple[Finding, ...]
    """What engines would compute differently."""
    unread: Mapping[str, Path]
    """Files of tests with a twin of a mart that has none, because it is not looked for there."""
    columns: Mapping[tuple[str, Kind], Columns]
    """The columns of the sources that matter to each failure, by mart and kind."""
    compiled: KnownQueries
    """What engines executed, for who writes records."""

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
    findings = _findings(graph, selected)
    refuse_not_repeatable(findings)
    declared = for_proof(graph.project, settings)
    examples = examples_of(graph, settings)
    if options.case:
        case = read_example(options.case, graph.project)
        selected, examples = (case.mart.name,), {case.mart.name: (case,)}
    with ExitStack() as stack:
        duckdb = stack.enter_context(on_duckdb())
        others: list[WorldEngine] = []
        if not options.quick:
            watch("opening Snowflake" if options.connection else "starting the emulator")
            others = [stack.enter_context(on_snowflake(settings, options.connection))]
        references = references_of(graph, declared)
        prover = Prover(
            graph,
            with_readers(graph, selected),
            _twins(graph, references),
            WorldBuilder(graph, duckdb),
            [WorldBuilder(graph, each) for each in others],
            smallest=(shrinker := stack.enter_context(shrinking(graph))),
        )
        work = _Work(prover, selected, references, examples, declared, options, watch, start)
        work.go()
        folder = settings.target / CASES
        columns = {
            key: columns_that_matter(each, prover, shrinker)
            for key, each in prover.failures.items()
        }
        saved = {} if options.case else saved_cases(prover.failures, columns, folder, prover)
    return Tried(
        graph,
        tuple(map(work.result, selected)),
        work.worlds,
        tuple(each.name for each in (duckdb, *others)),
        options.quick or options.case is not None,
        options.allowed,
        time.perf_counter() - start,
        saved,
        findings,
        unread_twins(settings, [name for name in selected if name not in references]),
        columns,
        {key: its for each in (prover.duckdb, *prover.others) for key, its in each.known.items()},
    )


def _findings(graph: Graph, selected: Sequence[str]) -> tuple[Finding, ...]:
    """Return what `marts compile` warns of in the marts."""
    state, as_of = declared_state(graph.project, sources=graph.project.sources), FixedAsOf(AS_OF)
    return findings_of(graph.project, plan_run(graph, selected, state, as_of))


class _Work:
    """The order in which things are tried, and what comes of it."""

    def __init__(
        self,
        prover: Prover,
        selected: Sequence[str],
        references: Mapping[str, Reference],
        examples: Mapping[str, Sequence[Example]],
        declared: Sequence[ForProof],
        options: ProveOptions,
        watch: Watch,
        start: float,
    ) -> None:
        self.prover = prover
        self.selected = selected
        self.references = references
        self.examples = examples
        self.declared = declared
        self.options = options
        self.watch = watch
        self.start = start
        self.worlds: Counter[str] = Counter()
        self.held: Counter[str] = Counter()
        self.scores: dict[str, ExampleScores] = {}
        self.mutants: dict[str, MutationRun] = {}

    def go(self) -> None:
        """Try everything."""
        if self.options.case:
            self._try_examples()
            self._try_worlds([each.world for case in self.examples.values() for each in case])
            return
        self.watch("making worlds")
        corpora = worlds_of(self.prover.duckdb, self.declared)
        self._try_worlds(corpora)
        self._try_examples()
        end = max(self.start + QUICK_SECONDS, time.perf_counter() + LEAST_SECONDS)
        for world in corpora:
            self.watch(f"invariants on {world.origin}")
            self.prover.try_invariants(
                world, is_over=lambda: self.options.quick and time.perf_counter() > end
            )
        if not self.options.quick:
            self._try_drawn()
            self._plant(corpora)

    def _try_drawn(self) -> None:
        """Compare marts with their twins on small worlds that hypothesis draws."""
        from marts.core.proof.drawing import draw, drawn_worlds

        if not self.prover.twins:
            return
        self.watch("drawing small worlds")
        graph, engine = self.prover.graph, self.prover.duckdb.engine
        end = time.perf_counter() + SECONDS_TO_DRAW

        def tried(world: World) -> bool:
            self.prover.try_world(world, on_others=False)
            self.worlds["drawn"] += 1
            return time.perf_counter() < end

        draw(drawn_worlds(graph, engine, self.declared), MOST_DRAWN, tried)

    def result(self, name: str) -> MartResult:
        """Return what was tried on a mart."""
        prover, run = self.prover, self.mutants.get(name)
        return MartResult(
            mart=name,
            worlds=prover.worlds[name],
            engines=prover.agreed[name],
            cases=tuple(sorted(prover.cases[name])),
            has_twin=name in self.references,
            examples=self.held[name],
            examples_tried=len(self.examples.get(name, ())),
            scores=self.scores.get(name),
            invariants=len(prover.held[name]),
            readers=self._readers(name),
            mutants=score(run, self.options.allowed) if run else None,
            failures=tuple(each for (its, _), each in prover.failures.items() if its == name),
        )

    def _try_worlds(self, worlds: Sequence[World]) -> None:
        for world in worlds:
            self.watch(f"{world.origin}: {world.rows:,} rows")
            self.prover.try_world(world, on_others=True)
            self.worlds[world.origin] += 1

    def _try_examples(self) -> None:
        for name in self.prover.selected:
            if examples := self.examples.get(name, ()):
                self.watch(f"{name}: examples")
                results = self.prover.try_examples(examples)
                self.held[name] += sum(each.holds for each in results)
                if not (self.options.quick or self.options.case):
                    mart = self.prover.graph.project.marts[name]
                    self.scores[name] = score_examples(self.prover.duckdb, mart, results)

    def _plant(self, corpora: Sequence[World]) -> None:
        """Run the mutants of each mart on what its reference is compared on."""
        for name in self.selected:
            runs = [by_examples(self.scores[name])] if name in self.scores else []
            if not runs or name in self.references:
                runs += self._on_worlds(name, corpora, surviving(runs[-1]) if runs else None)
            self.mutants[name] = together(runs)

    def _on_worlds(
        self, name: str, corpora: Sequence[World], among: Sequence[Mutant] | None
    ) -> Iterator[MutationRun]:
        """Yield the results of mutants on one world after another, as long as some survive."""

        def told(mutant: Mutant, number: int, total: int) -> None:
            self.watch(f"{mutant.mart.name}: mutant {number + 1} of {total}")

        graph, engine = self.prover.graph, self.prover.duckdb.engine
        mart = graph.project.marts[name]
        worlds = [world for world in corpora if is_tried(world, name, graph)]
        return runs_on_worlds(graph, mart, engine, worlds, among=among, watch=told)

    def _readers(self, name: str) -> tuple[str, ...]:
        """Return the marts with twins that show that this one is right; none if any does not."""
        readers = readers_of(self.prover.graph, name)
        failed = {mart for mart, _ in self.prover.failures}
        right = [each in self.references and each not in failed for each in readers]
        return readers if all(right) else ()


def readers_of(graph: Graph, name: str) -> tuple[str, ...]:
    """Return the public marts that an intermediate one is seen in; none for a public one."""
    _, observed = rebuilt_and_observed(graph, graph.project.marts[name])
    return tuple(each for each in observed if each != name)


def with_readers(graph: Graph, selected: Collection[str]) -> tuple[str, ...]:
    """Return the marts to try: the selected ones, and those that show whether they are right."""
    wanted = {*selected}.union(*(readers_of(graph, name) for name in selected))
    return tuple(name for name in graph.order if name in wanted)


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
