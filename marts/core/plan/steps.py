"""What a run will do: its steps, in order, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

import ibis.expr.types as ir

from marts.core.analysis.lineage import Name
from marts.core.authoring.checks import Check, is_fused, tables_read
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.signature import naming
from marts.core.authoring.tables import Mart, Source
from marts.core.errors import MartsError
from marts.core.plan.fingerprint import Fingerprint
from marts.core.plan.proofs import Stamp
from marts.core.plan.source_checks import SourceChecks
from marts.core.plan.state import Annotation, CompiledQuery, EngineState


@dataclass(frozen=True)
class Build:
    """Build a candidate of a mart."""

    mart: Mart
    query: ir.Table
    column_comments: Mapping[str, str]
    compiled: CompiledQuery | None = None
    """The query in the engine's SQL if planning needed it, so that no mart is compiled twice."""
    fingerprint: Fingerprint | None = None
    """What the mart is made from; None for a mart that is not published."""


@dataclass(frozen=True)
class CheckTable:
    """Make checks of a table: several by one aggregate query, or one by a query of its own."""

    table: Source | Mart
    checks: tuple[Check, ...]
    query: ir.Table
    quick: tuple[ir.Table, ...] = ()
    """Faster queries to try first, in order: if one finds no violation, there is none."""

    @property
    def is_fused(self) -> bool:
        """Tell whether the query is an aggregate query that makes all of its checks."""
        return not self.quick and all(map(is_fused, self.checks))


Step = Build | CheckTable


@dataclass(frozen=True)
class PlannedPublication:
    """What is published when all steps are done: marts, and tables to drop.

    If there are neither, only the results of source checks are recorded.
    """

    marts: tuple[Mart, ...]
    drops: tuple[str, ...] = ()


@dataclass(frozen=True)
class SkippedCheck:
    """A check that is not made: it reads marts that are absent or not up to date, or is exempt."""

    table: str
    check: str
    missing: tuple[str, ...] = ()
    exempt: str = ""
    """Why the invariant need not be tested on the mart, as its author or its lineage says."""


@dataclass(frozen=True)
class Plan:
    """The steps of a run, in order, and the tables that their expressions read, by name."""

    package: str
    as_of: FixedAsOf
    steps: tuple[Step, ...]
    tables: Mapping[str, ir.Table]
    skipped: tuple[SkippedCheck, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why each mart is built."""
    unchanged: tuple[str, ...] = ()
    """The selected marts that need not be built."""
    publication: PlannedPublication | None = None
    """What is published when all steps are done; None if nothing is."""
    orphans: tuple[str, ...] = ()
    """The tables of this package that are no longer marts but are kept."""
    annotations: tuple[Annotation, ...] = ()
    """What the engine's catalog should say of the selected marts once they are published."""
    reshapes: frozenset[str] = frozenset()
    """The marts whose columns, types or kind may change for readers."""
    source_checks: SourceChecks | None = None
    """The derived checks of sources; None for a plan that does not derive them."""
    state: EngineState = field(default_factory=EngineState)
    """The engine state that the plan was made from."""
    group: str | None = None
    """The group that is published; None for a plan that publishes nothing."""
    sources: frozenset[str] | None = None
    """The sources that must not change before publication; None for all that are described."""
    live: frozenset[str] = frozenset()
    """The sources that published views show to the steps: as they are, at any time."""
    parts: tuple[Plan, ...] = ()
    """The plans of the groups if this is that of several, which are published one by one."""
    proofs: Mapping[str, Stamp] = field(default_factory=dict)
    """The proofs of what is selected or built, if they were asked for."""
    personal: frozenset[Name] = frozenset()
    """The columns whose values no report may show."""
    refused: MartsError | None = None
    """Why the group cannot be planned; then there are no steps."""

    @property
    def deferred(self) -> frozenset[str]:
        """The marts that the steps read where another environment has published them."""
        return self.state.deferred.intersection(name for step in self.steps for name in needs(step))

    @property
    def watched(self) -> frozenset[str]:
        """These marts and those behind them there, which must not change while the run goes on."""
        found, waiting = set[str](), set(self.deferred)
        recorded = self.state.elsewhere.recorded if self.state.elsewhere else {}
        while waiting:
            found |= waiting
            made = [Fingerprint.from_text(recorded[n].origin) for n in waiting if n in recorded]
            waiting = {name for each in made if each for name in each.marts} - found
        return frozenset(found)

    @property
    def builds(self) -> tuple[Build, ...]:
        """The steps that build marts."""
        return tuple(step for step in self.steps if isinstance(step, Build))


def needs(step: Step) -> set[str]:
    """Return the tables that a step reads."""
    match step:
        case Build(mart):
            return set(mart.inputs)
        case CheckTable(table, checks):
            return {table.name}.union(*map(tables_read, checks))
        case _:
            assert_never(step)


def compiled(plan: Plan, compile_: Callable[[ir.Table], str]) -> dict[str, str]:
    """Return the SQL of each mart that a plan builds.

    Raises DefinitionError for an expression that is nested too deeply.
    """
    statements = {}
    for step in plan.builds:
        with naming(f"mart {step.mart.name}", step.mart.location):
            statements[step.mart.name] = compile_(step.query)
    return statements
