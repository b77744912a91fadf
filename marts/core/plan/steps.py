"""What a run will do: its steps, in order, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import ibis.expr.types as ir

from marts.core.authoring.checks import Check
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart, Source
from marts.core.plan.fingerprint import Fingerprint
from marts.core.plan.source_checks import SourceChecks
from marts.core.plan.state import EngineState


@dataclass(frozen=True)
class Build:
    """Build a candidate of a mart."""

    mart: Mart
    query: ir.Table
    column_comments: Mapping[str, str]


@dataclass(frozen=True)
class CheckRows:
    """Make all checks of a table that one aggregate query can make."""

    table: Source | Mart
    checks: tuple[Check, ...]
    query: ir.Table


@dataclass(frozen=True)
class CheckAcross:
    """Make one check that needs a query of its own."""

    table: Source | Mart
    check: Check
    query: ir.Table
    quick: tuple[ir.Table, ...] = ()
    """What to ask before, one after the other: where one finds nothing, there is nothing."""


@dataclass(frozen=True)
class Publish:
    """Let readers see all candidates, at once; drop what is no mart any more."""

    marts: tuple[Mart, ...]
    drops: tuple[str, ...] = ()


Step = Build | CheckRows | CheckAcross | Publish


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
    origins: Mapping[str, Fingerprint] = field(default_factory=dict)
    """From what each published mart is made."""
    orphans: tuple[str, ...] = ()
    """The tables of this package that no mart is any more, and that stay."""
    source_checks: SourceChecks | None = None
    """Which checks of sources were derived; None where that is not the question."""
    state: EngineState = field(default_factory=EngineState)
    """What was there when it was made."""
