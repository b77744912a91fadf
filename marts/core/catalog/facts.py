"""What the catalogue shows of an engine, as values that an operation reads."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from marts.core.catalog.pages import Build, CheckResult, Distribution
from marts.core.plan.state import RecordedTable
from marts.core.run.history import PastRun, started_at

RESULTS_SHOWN = 20
"""How many results of a check are shown."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What an engine and the records of proofs say of a project; by default, nothing.

    `engine` says in words where the marts are, `recorded` by which run each was published. `runs`
    are the latest first. `proofs` has a line for each mart that is proven as it is. `notes` say
    what could not be read, `notes_of` what a reader of a mart's page must know.
    """

    engine: str = ""
    as_of: datetime.date | None = None
    recorded: Mapping[str, RecordedTable] = field(default_factory=dict)
    runs: Sequence[PastRun] = ()
    distributions: Mapping[str, tuple[Distribution, ...]] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    """Rows that were counted, or that the engine knows, by mart."""
    proofs: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    notes_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def history(self, table: str, check: str) -> tuple[CheckResult, ...]:
        """Return what the runs found of a check, the latest first."""
        found = (
            CheckResult(
                run_id=run.run_id,
                at=_ended(run),
                outcome=made[0],
                violations=made[1],
                run_status=run.status,
            )
            for run in self.runs
            if table in run.results and (made := run.results[table].checks.get(check))
        )
        return tuple(islice(found, RESULTS_SHOWN))

    def checks(self, table: str) -> tuple[str, ...]:
        """Return the names of the checks of a table that the runs have made."""
        found = (run.results[table].checks for run in self.runs if table in run.results)
        return tuple(dict.fromkeys(name for checks in found for name in checks))

    def build(self, mart: str) -> Build | None:
        """Return how a published mart was built, None if it is not published."""
        recorded = self.recorded.get(mart)
        if recorded is None:
            return None
        run = next((each for each in self.runs if each.run_id == recorded.run_id), None)
        at = _ended(run) if run else started_at(recorded.run_id)
        if at is None:
            return None
        result = run.results.get(mart) if run else None
        rows = result.rows if result else None
        return Build(
            run_id=recorded.run_id,
            at=at,
            as_of=recorded.as_of,
            rows=self.rows.get(mart) if rows is None else rows,
            seconds=result.seconds if result else None,
        )

    def checked(self, source: str) -> Build | None:
        """Return when the rows of a source were counted last, None if that is not known."""
        for run in self.runs:
            result = run.results.get(source)
            if result and result.rows is not None:
                return Build(
                    run_id=run.run_id,
                    at=_ended(run),
                    as_of=run.as_of,
                    rows=result.rows,
                    seconds=result.check_seconds,
                )
        return None


def _ended(run: PastRun) -> datetime.datetime:
    return run.ended_at or run.started_at
