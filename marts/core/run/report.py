"""What happened in a run, as data."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from marts.core.authoring.checks import Check, SpellingCheck
from marts.core.authoring.tables import Mart, Source
from marts.core.authoring.tolerance import Acknowledgement, Rate
from marts.core.errors import MartsError
from marts.core.plan.source_checks import SourceChecks
from marts.core.plan.steps import SkippedCheck
from marts.core.query.folding import folded
from marts.core.run.backend import Statement

SPELLINGS_SAID = 3


class Made(Protocol):
    """A check that was made."""

    @property
    def check(self) -> Check:
        """Which."""

    @property
    def sample(self) -> Sequence[Mapping[str, object]]:
        """Some of the offending rows."""

    @property
    def rows(self) -> int:
        """How many it looked at."""

    @property
    def violations(self) -> int:
        """How many of these are offending."""

    @property
    def outcome(self) -> str:
        """How it counts."""

    @property
    def acknowledgement(self) -> Acknowledgement | None:
        """Who knows of it."""


def explained(made: Made) -> Iterator[str]:
    """Yield what is worth saying of a check that does not hold, beside how often."""
    if isinstance(made.check, SpellingCheck):
        yield from _spelt(made.check, made.sample)
    if made.check.because:
        yield made.check.because
    if isinstance(made.check.threshold, Rate) and made.outcome != "pass":
        yield f"more than {made.check.threshold} of {made.rows:,} rows"
    if made.acknowledgement and made.outcome == "warn":
        yield f"acknowledged until {made.acknowledgement.until}: {made.acknowledgement.reason}"


def _spelt(check: SpellingCheck, sample: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for row in sample[:SPELLINGS_SAID]:
        text, count = row.values()
        meant = check.meant.get(folded(str(text)), "another text")
        yield f"{text!r} for {meant!r} in {count:,} row{'s' * (count != 1)}"


Status = Literal[
    "published", "unchanged", "checked", "failed", "error", "interrupted", "partly_published"
]
"""All is published; nothing was to do; no check failed (nothing was to publish); an error-level
check did not hold; a step broke off; somebody stopped the run: in these three, nothing was
published. The last: an engine without transactions over several tables broke off while
publishing."""


Outcome = Literal["pass", "warn", "acknowledged", "fail"]


@dataclass(frozen=True)
class CheckReport:
    """One check made: its violations, and at most 20 of the offending rows where it fails."""

    check: Check
    violations: int
    sample: tuple[Mapping[str, object], ...] = ()
    rows: int = 0
    """How many rows it looked at, of which a rate is one."""
    acknowledgement: Acknowledgement | None = None
    """Who knows of it, if anybody does."""
    is_acknowledged: bool = False
    """Whether that still counts."""

    @property
    def outcome(self) -> Outcome:
        """How it counts: as many violations as the threshold still pass."""
        threshold = self.check.threshold
        if self.violations <= (
            threshold.of(self.rows) if isinstance(threshold, Rate) else threshold
        ):
            return "pass"
        if self.check.severity == "error":
            return "fail"
        return "acknowledged" if self.is_acknowledged else "warn"


@dataclass
class TableReport:
    """What happened to one table, filled as the run goes on; `rows` is None where not counted."""

    table: Source | Mart
    sql: str | None = None
    rows: int | None = None
    build_seconds: float = 0.0
    check_seconds: float = 0.0
    checks: list[CheckReport] = field(default_factory=list)

    def outcomes(self, outcome: Outcome) -> list[CheckReport]:
        """Return the checks that came out so."""
        return [report for report in self.checks if report.outcome == outcome]


@dataclass(frozen=True)
class Report:
    """What happened in a run."""

    run_id: str
    status: Status
    started_at: datetime.datetime
    seconds: float
    tables: tuple[TableReport, ...]
    skipped: tuple[SkippedCheck, ...]
    unchanged: tuple[str, ...]
    statements: tuple[Statement, ...]
    error: MartsError | None = None
    source_checks: SourceChecks | None = None
    """Which checks of sources were derived; None where that was not the question."""

    @property
    def failures(self) -> list[tuple[TableReport, CheckReport]]:
        """The error-level checks that did not hold."""
        return [(table, check) for table in self.tables for check in table.outcomes("fail")]

    @property
    def acknowledged(self) -> list[tuple[TableReport, CheckReport]]:
        """The warn-level checks that did not hold, as somebody knows."""
        return [(table, check) for table in self.tables for check in table.outcomes("acknowledged")]

    @property
    def warnings(self) -> list[tuple[TableReport, CheckReport]]:
        """The warn-level checks that did not hold."""
        return [(table, check) for table in self.tables for check in table.outcomes("warn")]
