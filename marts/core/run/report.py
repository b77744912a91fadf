"""What happened in a run, as data."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from marts.core.authoring.checks import Check, SpellingCheck
from marts.core.authoring.tables import Mart, Source
from marts.core.authoring.tolerance import Acknowledgement, Rate, tolerated
from marts.core.errors import MASK, MartsError
from marts.core.plan.proofs import Stamp
from marts.core.plan.source_checks import SourceChecks
from marts.core.plan.state import ShapeChange
from marts.core.plan.steps import SkippedCheck
from marts.core.query.folding import folded
from marts.core.run.backend import Statement

SPELLINGS_SHOWN = 3


Status = Literal[
    "published",
    "unchanged",
    "checked",
    "failed",
    "error",
    "interrupted",
    "partly_published",
    "unknown",
]
"""How a run ended. After `failed` (an error-level check did not hold), `error` (a step failed) and
`interrupted`, nothing was published. `checked`: no check failed, and there was nothing to publish.
`partly_published`: publishing failed on an engine without transactions over several tables.
`unknown`: the answer to the commit was lost, and the engine cannot be asked; all is published, or
nothing."""

Outcome = Literal["pass", "warn", "acknowledged", "fail"]


@dataclass(frozen=True)
class CheckReport:
    """A check that was made: its violations, and at most 20 of the offending rows if it fails."""

    check: Check
    violations: int
    sample: tuple[Mapping[str, object], ...] = ()
    rows: int = 0
    """The number of rows checked, to which a rate refers."""
    acknowledgement: Acknowledgement | None = None
    """The acknowledgement of the check, if there is one."""
    is_acknowledged: bool = False
    """Whether the acknowledgement is still valid."""
    detail: str = ""
    """What was found, in words, of a check that has more to say than a count."""

    @property
    def outcome(self) -> Outcome:
        """The outcome; it passes with up to as many violations as the threshold."""
        if self.violations <= tolerated(self.check.threshold, self.rows):
            return "pass"
        if self.check.severity == "error":
            return "fail"
        return "acknowledged" if self.is_acknowledged else "warn"


@dataclass
class TableReport:
    """What happened to one table, filled during the run; `rows` is None if not counted."""

    table: Source | Mart
    sql: str | None = None
    rows: int | None = None
    build_seconds: float = 0.0
    check_seconds: float = 0.0
    checks: list[CheckReport] = field(default_factory=list)

    def outcomes(self, outcome: Outcome) -> list[CheckReport]:
        """Return the checks with an outcome."""
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
    """The derived checks of sources; None if they were not derived."""
    sources_read: Mapping[str, str] = field(default_factory=dict)
    """How sources were read as of one moment, in words, by name; empty if all in the same way."""
    changes: tuple[ShapeChange, ...] = ()
    """What publishing has changed besides rows, even if nothing was published then."""
    unfinished: tuple[str, ...] = ()
    """What a publication that took effect has left to the next run."""
    group: str | None = None
    """The group that the run was about; None if it was about several, or about no publication."""
    proofs: Mapping[str, Stamp] = field(default_factory=dict)
    """The proofs of what was selected or built, if they were asked for."""
    groups: tuple[GroupReport, ...] = ()
    """How each group ended, in a run of several; `status` is then the worst of theirs."""

    @property
    def built(self) -> list[TableReport]:
        """The marts of which a candidate was built; temporary ones are left out."""
        return [
            table
            for table in self.tables
            if isinstance(table.table, Mart)
            and not table.table.is_temporary
            and table.build_seconds
        ]

    @property
    def failures(self) -> list[tuple[TableReport, CheckReport]]:
        """The error-level checks that did not hold."""
        return [(table, check) for table in self.tables for check in table.outcomes("fail")]

    @property
    def acknowledged(self) -> list[tuple[TableReport, CheckReport]]:
        """The warn-level checks that did not hold and are acknowledged."""
        return [(table, check) for table in self.tables for check in table.outcomes("acknowledged")]

    @property
    def warnings(self) -> list[tuple[TableReport, CheckReport]]:
        """The warn-level checks that did not hold and are not acknowledged."""
        return [(table, check) for table in self.tables for check in table.outcomes("warn")]


GroupStatus = Status | Literal["left"]
"""How a group of a run ended; `left` if it was not begun."""


@dataclass(frozen=True)
class GroupReport:
    """How one of several groups of a run ended; `reads` are the groups that it reads.

    `because` is why it was left, in words. A group that was left, or that could not be planned, has
    no report of its own.
    """

    name: str
    reads: tuple[str, ...]
    status: GroupStatus
    report: Report | None = None
    error: MartsError | None = None
    because: str = ""

    @property
    def is_done(self) -> bool:
        """Tell whether what is published of it now is right about the run's data."""
        return self.status in ("published", "unchanged", "checked")


def groups_of(report: Report) -> tuple[GroupReport, ...]:
    """Return how each group of a run ended; none for a report that is not about publication."""
    if report.groups or report.group is None:
        return report.groups
    return (GroupReport(report.group, (), report.status, report, report.error),)


def explained(made: CheckReport) -> Iterator[str]:
    """Yield explanations of a check besides the number of violations, for some if it holds."""
    if made.detail:
        yield made.detail
    if isinstance(made.check, SpellingCheck):
        yield from _misspelled(made.check, made.sample)
    if made.check.because:
        yield made.check.because
    if isinstance(made.check.threshold, Rate) and made.outcome != "pass":
        yield f"more than {made.check.threshold} of {made.rows:,} rows"
    if made.acknowledgement and made.outcome == "warn":
        yield f"acknowledged until {made.acknowledgement.until}: {made.acknowledgement.reason}"


def _misspelled(check: SpellingCheck, sample: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for row in sample[:SPELLINGS_SHOWN]:
        text, count = row.values()
        meant = check.meant.get(folded(str(text)), "another text")
        words = MASK if text == MASK else f"{text!r} for {meant!r}"
        yield f"{words} in {count:,} row{'s' * (count != 1)}"
