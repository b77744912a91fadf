"""Try a mart's mutants on data: who would notice each; beside the runner a caller of a backend.

A trial builds candidates and drops them: nothing is published.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
from ibis.common.exceptions import IbisError

from marts.core.analysis.keys import declared_keys
from marts.core.analysis.lint import lint
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart
from marts.core.errors import MartsError
from marts.core.plan.planner import plan_run
from marts.core.plan.steps import Build, Plan
from marts.core.project.graph import Graph
from marts.core.proof.impact import columns_reached
from marts.core.proof.mutants import Change, Mutant, conformed, mutants_of
from marts.core.proof.promises import promises_of
from marts.core.query.contract import schema_of
from marts.core.query.definition import defining_query
from marts.core.query.difference import difference
from marts.core.query.nulls import declared_filled
from marts.core.run.inspection import survey

if TYPE_CHECKING:
    from marts.core.run.backend import Backend, Kind

NoticedBy = Literal["rows", "engine", "compile"]
"""Rows differ; the engine refuses the query; `marts compile` warns of what it did not before."""


@dataclass(frozen=True)
class Trial:
    """One mutant tried: who notices it, nobody being None; and what there is to see."""

    mutant: Mutant
    noticed_by: NoticedBy | None
    sight: str = ""


@dataclass(frozen=True)
class TrialReport:
    """All mutants of one mart, tried."""

    mart: Mart
    trials: tuple[Trial, ...]
    seconds: float


def try_mutants(
    graph: Graph,
    mart: Mart,
    backend: Backend,
    as_of: FixedAsOf,
    *,
    watch: Callable[[Mutant, int, int], None] = lambda *_: None,
) -> TrialReport:
    """Build each mutant of a mart beside the original, and compare what readers would see.

    `watch` is told before each: the mutant, how many there were, and how many there are. Raises
    SourceError where a source does not fit its contract, EngineError where an original fails.
    """
    start = time.perf_counter()
    trial = _Trial(graph, mart, backend, as_of)
    promises = promises_of(graph.project)
    mutants = mutants_of(mart, trial.plan.tables, as_of, promises=promises)
    trials = []
    try:
        trial.begin()
        for number, mutant in enumerate(mutants):
            watch(mutant, number, len(mutants))
            trials.append(trial.of(mutant))
    finally:
        backend.discard()
    return TrialReport(mart, tuple(trials), time.perf_counter() - start)


def rebuilt_and_observed(graph: Graph, mart: Mart) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the marts to rebuild from a changed one, in order, and those in which it shows.

    A public mart shows in itself; an intermediate one in the nearest public marts that read it, or
    read intermediate ones that do. Without any such reader it shows in itself, too.
    """
    marts = graph.project.marts
    if not mart.is_intermediate:
        return (), (mart.name,)
    changed, observed = [mart.name], list[str]()
    for name in graph.order:
        if not set(changed).isdisjoint(marts[name].inputs):
            (changed if marts[name].is_intermediate else observed).append(name)
    return tuple(changed[1:]), tuple(observed) or (mart.name,)


class _Trial:
    """The originals of one mart's trial, and the queries that many mutants have in common."""

    def __init__(self, graph: Graph, mart: Mart, backend: Backend, as_of: FixedAsOf) -> None:
        self.graph = graph
        self.mart = mart
        self.backend = backend
        self.rebuilt, self.observed = rebuilt_and_observed(graph, mart)
        wanted = {mart.name, *self.rebuilt, *self.observed}
        wanted |= set[str]().union(*map(graph.upstream, wanted))
        selected = tuple(name for name in graph.order if name in wanted)
        self.plan: Plan = plan_run(graph, selected, survey(graph, selected, backend), as_of)
        self.rebuilding, self.comparing = self._downstream(as_of)
        self.frames: dict[tuple[object, ...], ir.Table] = {}

    def _downstream(self, as_of: FixedAsOf) -> tuple[dict[str, ir.Table], dict[str, ir.Table]]:
        """Return the query that rebuilds each mart from the mutant, and those that compare."""
        marts = self.graph.project.marts
        tables, filled = dict(self.plan.tables), {**declared_filled(self.graph.project)}
        for name in (self.mart.name, *self.rebuilt):
            tables[name] = ibis.table(schema_of(marts[name].columns), name=_beside(name))
            # Declared so, whatever the mutant's are: its readers make of them what they would.
            filled[_beside(name)] = filled[name]
        define = partial(defining_query, tables=tables, as_of=as_of, filled=filled)
        rebuilding = {name: define(marts[name]) for name in self.rebuilt}
        comparing = {}
        for name in self.observed:
            is_itself = name == self.mart.name
            seen = tables[name] if is_itself else define(marts[name])
            comparing[name] = self._differing(name, seen)
        return rebuilding, comparing

    @cached_property
    def counted(self) -> ir.Table:
        """Return a row where the mutant has not as many rows as the original.

        Rows that a slip in a join multiplies are counted much faster than compared.
        """
        original = self.plan.tables[self.mart.name]
        mutant = ibis.table(original.schema(), name=_beside(self.mart.name))
        counts = mutant.aggregate(right=mutant.count())
        both = original.aggregate(left=original.count()).cross_join(counts)
        left, right = both.left.cast("string"), both.right.cast("string")
        return both.filter(both.left != both.right).select(differs_in=left + " rows → " + right)

    def _differing(self, name: str, seen: ir.Table) -> ir.Table:
        """Return a row in which a mart differs from what is seen of it, in the columns that are."""
        original = self.plan.tables[name].select(seen.columns)
        return difference(original, seen, self.graph.project.marts[name].grain).limit(1)

    def begin(self) -> None:
        """Build the originals as candidates."""
        self.backend.begin("trial")
        self.stand_ins: dict[ops.Relation, ops.Relation] = {}
        for step in self.plan.steps:
            if isinstance(step, Build):
                self._build(step.mart.name, step.query)

    def of(self, mutant: Mutant) -> Trial:
        """Return who notices a mutant: readers, the engine, or else the linter."""
        try:
            return self._on_rows(mutant) or self._on_lint(mutant)
        except (MartsError, IbisError) as error:
            return Trial(mutant, "engine", str(error).partition("\n")[0])

    def _on_rows(self, mutant: Mutant) -> Trial | None:
        for name, query in self._comparisons(mutant.change):
            for row in self.backend.fetch(query, about=name):
                *keys, differs_in = row.values()
                return Trial(mutant, "rows", f"{', '.join(map(str, [name, *keys]))}: {differs_in}")
        return None

    def _comparisons(self, change: Change) -> Iterator[tuple[str, ir.Table]]:
        """Build what is changed; yield the marts in which it may show, and what compares each.

        Compiling takes longest. So only the smallest relation that is changed is compiled for each
        mutant; what is around it, and what compares it, is the same for many.
        """
        self._build(_changed(self.mart.name), self._on_stand_ins(change), "view")
        columns = columns_reached(change.relations, change.old, change.new)
        is_seen = self.mart.name in self.observed
        if is_seen and columns < set(change.original.schema.names):
            yield self.mart.name, self._around(change, columns)
            return
        kind: Kind = "view" if is_seen else "table"
        self._build(_beside(self.mart.name), self._around(change), kind)
        if is_seen:
            yield self.mart.name, self.counted
        for name, query in self.rebuilding.items():
            self._build(_beside(name), query)
        yield from self.comparing.items()

    def _around(self, change: Change, columns: frozenset[str] | None = None) -> ir.Table:
        """Return the mart around what is changed; or how it differs, in some columns."""
        frame = (change.old, change.new.schema, columns)
        if frame in self.frames:
            return self.frames[frame]
        changed = ibis.table(change.new.schema, name=_changed(self.mart.name))
        table = ir.Table(change.original.replace({change.old: changed.op()}))
        if columns is None:
            found = conformed(self.mart, table)
        else:
            kept = (c for c in self.mart.columns if c.name in {*columns, *self.mart.grain})
            narrow = conformed(replace(self.mart, columns=tuple(kept)), table)
            found = self._differing(self.mart.name, narrow)
        return self.frames.setdefault(frame, found)

    def _on_stand_ins(self, change: Change) -> ir.Table:
        """Return what is changed, over tables of what it has in common with the original."""
        if any(isinstance(op, ops.Limit) for op in change.relations):
            # A table has no order that a limit could rely on.
            return ir.Table(change.new)
        known = set(change.relations)
        reached, shared, waiting = set[ops.Node](), set[ops.Relation](), [change.new]
        while waiting:
            op = waiting.pop()
            reached.add(op)
            if op in known and not isinstance(op, ops.PhysicalTable | ops.Reference):
                shared.add(op)
            else:
                waiting += op.__children__
        stand_ins = {op: self._stand_in(op) for op in shared}
        return ir.Table(change.new.replace(stand_ins, filter=reached.__contains__))

    def _stand_in(self, op: ops.Relation) -> ops.Relation:
        if op not in self.stand_ins:
            name = f"{self.mart.name}__unchanged_{len(self.stand_ins)}"
            self._build(name, ir.Table(op))
            self.stand_ins[op] = ibis.table(op.schema, name=name).op()
        return self.stand_ins[op]

    def _on_lint(self, mutant: Mutant) -> Trial:
        for rule, count in self._broken_rules(mutant.query).items():
            if count > self._broken_before[rule]:
                return Trial(mutant, "compile", rule)
        return Trial(mutant, None)

    @cached_property
    def _broken_before(self) -> Counter[str]:
        (original,) = (
            step.query
            for step in self.plan.steps
            if isinstance(step, Build) and step.mart == self.mart
        )
        return self._broken_rules(original)

    def _broken_rules(self, query: ir.Table) -> Counter[str]:
        keys, filled = declared_keys(self.graph.project), declared_filled(self.graph.project)
        found = lint(self.mart, query, keys=keys, filled=filled)
        return Counter(finding.rule for finding in found)

    def _build(self, name: str, query: ir.Table, kind: Kind = "table") -> None:
        self.backend.build(name, query, kind=kind, comment="", column_comments={})


def _beside(name: str) -> str:
    return f"{name}__mutant"


def _changed(name: str) -> str:
    return f"{name}__changed"
