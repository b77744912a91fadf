"""Run a mart's mutants on data: build each beside the original, and look for what kills it.

All tables are built as candidates and dropped afterwards; nothing is published.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
from ibis.common.exceptions import IbisError

from marts.core.analysis.declared_keys import declared_keys
from marts.core.analysis.lint import lint
from marts.core.authoring.columns import personal_in
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart, checked_key
from marts.core.errors import MartsError
from marts.core.plan.planner import plan_run
from marts.core.plan.steps import Build, Plan
from marts.core.project.graph import Graph
from marts.core.proof.guarantees import guarantees_of
from marts.core.proof.impact import affected_columns
from marts.core.proof.mutants import Change, Mutant, mutants_of
from marts.core.proof.partial_compilation import (
    SharedTables,
    Surroundings,
    query_around,
    surroundings_of,
)
from marts.core.query.checks import free_name
from marts.core.query.contract import schema_of
from marts.core.query.definition import defining_query
from marts.core.query.difference import DIFFERS_IN, difference
from marts.core.query.nulls import declared_not_null
from marts.core.run.inspection import inspect_engine
from marts.core.run.masking import masked_row

if TYPE_CHECKING:
    from marts.core.plan.state import CompiledQuery, EngineState, Materialized
    from marts.core.run.backend import Backend

KilledBy = Literal["rows", "engine", "compile"]
"""Rows differ; the engine refuses the query; or `marts compile` has a new warning."""


@dataclass(frozen=True)
class MutantResult:
    """What killed a mutant, None if it survived, and the evidence: a row, an error or a rule."""

    mutant: Mutant
    killed_by: KilledBy | None
    evidence: str = ""


@dataclass(frozen=True)
class MutationRun:
    """The results of all mutants of one mart."""

    mart: Mart
    results: tuple[MutantResult, ...]
    seconds: float


Watch = Callable[[Mutant, int, int], None]
"""Told of each mutant before it runs: the mutant, how many were run, and how many there are."""


class MutationEngine(Protocol):
    """What builds mutants beside the originals: a backend, or an engine with a world."""

    def begin(self, run_id: str) -> None:
        """Prepare to build."""

    def compile(self, query: ir.Table) -> CompiledQuery:
        """Return a query in the engine's SQL."""

    def build(
        self,
        name: str,
        query: CompiledQuery,
        *,
        kind: Materialized,
        comment: str,
        column_comments: Mapping[str, str],
    ) -> None:
        """Create a table or view, or replace it."""

    def fetch(self, query: CompiledQuery, *, about: str) -> list[dict[str, Any]]:
        """Run a query and return its rows."""

    def discard(self) -> None:
        """Drop what was built."""


def run_mutants(
    graph: Graph,
    mart: Mart,
    backend: Backend,
    as_of: FixedAsOf,
    *,
    watch: Watch = lambda *_: None,
) -> MutationRun:
    """Build each mutant of a mart beside the original, and compare what readers would see.

    Raises SourceError if a source does not fit its contract, EngineError if an original fails.
    """
    state = inspect_engine(graph, _originals(graph, mart), backend)
    return PlannedMutants(graph, mart, state, as_of).run(backend, watch=watch)


class PlannedMutants:
    """The mutants of a mart in a known state of engines, to be run on data that are in this state.

    What they have in common is compiled once, however often they run.
    """

    def __init__(self, graph: Graph, mart: Mart, state: EngineState, as_of: FixedAsOf) -> None:
        start = time.perf_counter()
        plan = plan_run(graph, _originals(graph, mart), state, as_of)
        self._runner = _Runner(graph, mart, plan, as_of)
        guarantees = guarantees_of(graph.project)
        self._mutants = mutants_of(mart, plan.tables, as_of, guarantees=guarantees)
        self._seconds = time.perf_counter() - start

    def run(
        self,
        engine: MutationEngine,
        *,
        among: Collection[Mutant] | None = None,
        watch: Watch = lambda *_: None,
    ) -> MutationRun:
        """Build the mutants on an engine; those of `among`, perhaps of another date, if given."""
        start, mutants = time.perf_counter() - self._seconds, self._mutants
        self._seconds = 0.0
        if among is not None:
            wanted = {mutant.key for mutant in among}
            mutants = tuple(mutant for mutant in mutants if mutant.key in wanted)
        results = []
        try:
            self._runner.begin(engine)
            for number, mutant in enumerate(mutants):
                watch(mutant, number, len(mutants))
                results.append(self._runner.run(mutant))
        finally:
            engine.discard()
        return MutationRun(self._runner.mart, tuple(results), time.perf_counter() - start)


def rebuilt_and_observed(graph: Graph, mart: Mart) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the marts to rebuild when a mart has changed, in order, and the marts to compare.

    A public mart is compared itself. For an intermediate one, the nearest public marts that read it
    are compared, directly or through intermediate ones, or the mart itself if there are none.
    """
    marts = graph.project.marts
    if not mart.is_intermediate:
        return (), (mart.name,)
    changed, observed = [mart.name], list[str]()
    for name in graph.order:
        if not set(changed).isdisjoint(marts[name].inputs):
            (changed if marts[name].is_intermediate else observed).append(name)
    return tuple(changed[1:]), tuple(observed) or (mart.name,)


@dataclass(frozen=True)
class _Comparisons:
    """The queries over the original's and the mutant's tables, which all mutants share.

    `rebuilt` has those of the marts between the mutant and the marts to compare; `differing` has,
    by the name of a mart, a query of a row in which it differs from the original.
    """

    rebuilt: Mapping[str, ir.Table]
    differing: Mapping[str, ir.Table]


class _Runner:
    """Runs the mutants of one mart: builds each as a candidate beside the originals."""

    backend: MutationEngine

    def __init__(self, graph: Graph, mart: Mart, plan: Plan, as_of: FixedAsOf) -> None:
        self.mart = mart
        _, observed = rebuilt_and_observed(graph, mart)
        self.observed = tuple(graph.project.marts[name] for name in observed)
        self.is_observed = mart.name in observed
        self.plan = plan
        self.original = self.plan.tables[mart.name]
        self.comparisons = _comparisons(graph, mart, self.plan.tables, as_of)
        self.counted = _differing_counts(self.original, _mutant_of(mart.name))
        self.changed = f"{mart.name}__changed"
        self.compiled: dict[ops.Node, CompiledQuery] = {}
        # Mutants that change the same relation share a query, which is compiled once.
        self.around = cache(self._around)
        self.differing_around = cache(self._differing_around)
        self.keys = declared_keys(graph.project)
        self.not_null = declared_not_null(graph.project)

    def begin(self, engine: MutationEngine) -> None:
        """Build the originals as candidates."""
        self.backend = engine
        self.shared = SharedTables(f"{self.mart.name}__unchanged_", self._build)
        self.backend.begin("mutation")
        for step in self.plan.steps:
            if isinstance(step, Build):
                self._build(step.mart.name, step.query)
        for mart in self.observed:
            self._refuse_repeated_keys(mart)

    def _refuse_repeated_keys(self, mart: Mart) -> None:
        """Raise MartsError for a key with several rows, which would differ from any mutant's."""
        if not checked_key(mart):
            return
        table = self.plan.tables[mart.name]
        count = free_name("rows", table.columns)
        counts = table.group_by(mart.grain).aggregate(**{count: table.count()})
        repeated = counts.filter(counts[count] > 1).limit(1)
        for row in self.backend.fetch(self._compiled(repeated), about=mart.name):
            *key, rows = masked_row(row, personal_in(mart.columns)).values()
            shown = ", ".join(f"{k} = {v}" for k, v in zip(mart.grain, key, strict=True))
            raise MartsError(
                f"mart {mart.name} has several rows of one key on this data, so it cannot be"
                " compared",
                f"{shown}: {rows} rows",
                mart.location,
                hint="declare in the contracts of its sources what makes the key unique, such as"
                " unique=True for a column; or pass data that `marts run` would publish",
            )

    def run(self, mutant: Mutant) -> MutantResult:
        """Return what kills a mutant: different rows, the engine, or the linter, if anything."""
        try:
            return self._by_rows(mutant) or self._by_linter(mutant)
        except (MartsError, IbisError) as error:
            return MutantResult(mutant, "engine", str(error).partition("\n")[0])

    def _by_rows(self, mutant: Mutant) -> MutantResult | None:
        for name, query in self._built_and_compared(mutant.change):
            for row in self.backend.fetch(self._compiled(query), about=name):
                hidden = self._hidden(name) if query is not self.counted else ()
                *keys, differs_in = masked_row(row, hidden).values()
                where = ", ".join(map(str, [name, *keys]))
                return MutantResult(mutant, "rows", f"{where}: {differs_in}")
        return None

    def _hidden(self, name: str) -> frozenset[str]:
        """Return the columns of a row that differs which show personal data of a mart."""
        (mart,) = (each for each in self.observed if each.name == name)
        personal = frozenset(personal_in(mart.columns))
        return personal | {DIFFERS_IN} if personal - {*mart.grain} else personal

    def _built_and_compared(self, change: Change) -> Iterator[tuple[str, ir.Table]]:
        """Build what has changed; yield the marts that may differ, with a query of such a row.

        If the caller stops after finding a row, nothing more is built.
        """
        self._build(self.changed, self.shared.query_of(change), "view")
        affected = affected_columns(change.relations, change.old, change.new)
        every = frozenset(change.original.schema.names)
        if self.is_observed and affected < every:
            yield self.mart.name, self.differing_around(surroundings_of(change, affected))
            return
        kind: Materialized = "view" if self.is_observed else "table"
        query = self.around(surroundings_of(change, every))
        self._build(_mutant_of(self.mart.name), query, kind)
        if self.is_observed:
            yield self.mart.name, self.counted
        for name, query in self.comparisons.rebuilt.items():
            self._build(_mutant_of(name), query)
        yield from self.comparisons.differing.items()

    def _around(self, surroundings: Surroundings) -> ir.Table:
        return query_around(self.mart, surroundings, self.changed)

    def _differing_around(self, surroundings: Surroundings) -> ir.Table:
        return _differing(self.original, self.around(surroundings), self.mart)

    def _by_linter(self, mutant: Mutant) -> MutantResult:
        for rule, count in self._broken_rules(mutant.query).items():
            if count > self._broken_by_original[rule]:
                return MutantResult(mutant, "compile", rule)
        return MutantResult(mutant, None)

    @cached_property
    def _broken_by_original(self) -> Counter[str]:
        (original,) = (
            step.query
            for step in self.plan.steps
            if isinstance(step, Build) and step.mart == self.mart
        )
        return self._broken_rules(original)

    def _broken_rules(self, query: ir.Table) -> Counter[str]:
        found = lint(self.mart, query, keys=self.keys, not_null=self.not_null)
        return Counter(finding.rule for finding in found)

    def _build(self, name: str, query: ir.Table, kind: Materialized = "table") -> None:
        compiled = self._compiled(query)
        self.backend.build(name, compiled, kind=kind, comment="", column_comments={})

    def _compiled(self, query: ir.Table) -> CompiledQuery:
        # Many mutants share the query around their change, and the query that compares it.
        op = query.op()
        if op not in self.compiled:
            self.compiled[op] = self.backend.compile(query)
        return self.compiled[op]


def _originals(graph: Graph, mart: Mart) -> tuple[str, ...]:
    """Return what mutants of a mart are built beside: it, what it reads, and who is compared."""
    rebuilt, observed = rebuilt_and_observed(graph, mart)
    names = (mart.name, *rebuilt, *observed)
    wanted = set(names).union(*map(graph.upstream, names))
    return tuple(name for name in graph.order if name in wanted)


def _comparisons(
    graph: Graph, mart: Mart, originals: Mapping[str, ir.Table], as_of: FixedAsOf
) -> _Comparisons:
    """Return the queries that rebuild a mart's readers from a mutant, and those that compare."""
    marts = graph.project.marts
    rebuilt, observed = rebuilt_and_observed(graph, mart)
    tables, not_null = dict(originals), {**declared_not_null(graph.project)}
    for name in (mart.name, *rebuilt):
        tables[name] = ibis.table(schema_of(marts[name].columns), name=_mutant_of(name))
        # As declared, whatever the mutant has: its readers treat it like the original.
        not_null[_mutant_of(name)] = not_null[name]
    define = partial(defining_query, tables=tables, as_of=as_of, not_null=not_null)
    differing = {}
    for name in observed:
        is_itself = name == mart.name
        found = tables[name] if is_itself else define(marts[name])
        differing[name] = _differing(originals[name], found, marts[name])
    return _Comparisons({name: define(marts[name]) for name in rebuilt}, differing)


def _differing(original: ir.Table, found: ir.Table, mart: Mart) -> ir.Table:
    """Return a query of one row in which a mart differs from `found`, in the columns of `found`."""
    return difference(original.select(found.columns), found, mart.grain).limit(1)


def _differing_counts(original: ir.Table, mutant_name: str) -> ir.Table:
    """Return a query of one row if a mutant and the original differ in their number of rows.

    Rows that a wrong join has multiplied are much faster to count than to compare.
    """
    mutant = ibis.table(original.schema(), name=mutant_name)
    counts = mutant.aggregate(right=mutant.count())
    both = original.aggregate(left=original.count()).cross_join(counts)
    left, right = both.left.cast("string"), both.right.cast("string")
    return both.filter(both.left != both.right).select(differs_in=left + " rows → " + right)


def _mutant_of(name: str) -> str:
    return f"{name}__mutant"
