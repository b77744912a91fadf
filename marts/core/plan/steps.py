"""What a run will do: its steps, in order, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import ibis.expr.types as ir

from marts.core.authoring.checks import Check, is_fused
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.signature import naming
from marts.core.authoring.tables import Mart, Source
from marts.core.plan.fingerprint import Fingerprint
from marts.core.plan.source_checks import SourceChecks
from marts.core.plan.state import CompiledQuery, EngineState


@dataclass(frozen=True)
class Build:
    """Build a candidate of a mart."""

    mart: Mart
    query: ir.Table
    column_comments: Mapping[str, str]
    compiled: CompiledQuery | None = None
    """The query in the engine's SQL, where planning needed it: a run compiles no mart twice."""
    fingerprint: Fingerprint | None = None
    """From what it is made; None for a mart that is not published."""


@dataclass(frozen=True)
class CheckTable:
    """Make checks of a table: all that one aggregate query can make, or one by its own query."""

    table: Source | Mart
    checks: tuple[Check, ...]
    query: ir.Table
    quick: tuple[ir.Table, ...] = ()
    """What to ask before, one after the other: where one finds nothing, there is nothing."""

    @property
    def is_fused(self) -> bool:
        """Tell whether the query is the table's one aggregate query, whatever the checks."""
        return not self.quick and all(map(is_fused, self.checks))


Step = Build | CheckTable


@dataclass(frozen=True)
class PlannedPublication:
    """What readers see once all steps are done: new marts, and tables that are gone.

    Where there is neither, only what held of the sources is recorded.
    """

    marts: tuple[Mart, ...]
    drops: tuple[str, ...] = ()


@dataclass(frozen=True)
class SkippedCheck:
    """A check that is not made, because it reads marts that are not there, or not up to date."""

    table: str
    check: str
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """The ordered steps of a run, and the tables that their expressions read, by name."""

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
    """What is published when all steps are done; None where nothing is."""
    orphans: tuple[str, ...] = ()
    """The tables of this package that are no longer marts, and that stay."""
    source_checks: SourceChecks | None = None
    """Which checks of sources were derived; None where that is not the question."""
    state: EngineState = field(default_factory=EngineState)
    """What was there when it was made."""

    @property
    def builds(self) -> tuple[Build, ...]:
        """The steps that build marts."""
        return tuple(step for step in self.steps if isinstance(step, Build))


def compiled(plan: Plan, compile_: Callable[[ir.Table], str]) -> dict[str, str]:
    """Return the SQL of each mart that a plan builds; DefinitionError for one nested too deeply."""
    statements = {}
    for step in plan.builds:
        with naming(f"mart {step.mart.name}", step.mart.location):
            statements[step.mart.name] = compile_(step.query)
    return statements
