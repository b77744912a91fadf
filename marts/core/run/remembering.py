"""What to record of sources after publishing, so that no version is checked twice."""

from __future__ import annotations

from collections.abc import Mapping

from marts.core.plan.source_checks import SourceChecks
from marts.core.plan.state import CheckedSource, EngineState
from marts.core.plan.steps import Plan
from marts.core.run.report import CheckReport, TableReport


def checked_sources(plan: Plan, tables: Mapping[str, TableReport]) -> dict[str, CheckedSource]:
    """Return what to record of each source that a plan relied on, by name.

    `tables` are the reports of a run in which no check failed. Only checks that held are
    remembered: one that warned is made again in the next run, even if the source is the same. What
    was recorded of the same version before is kept. If the caller wants no checks, so is what was
    recorded of another version: the next run that makes them must see that a source has shrunk.
    """
    wanted = plan.source_checks
    if wanted is None:
        return {}
    return {
        name: _checked(name, wanted, plan.state, tables.get(name))
        for name in wanted.sources
        if not (wanted.is_left_out and name in plan.state.checked)
    }


def _checked(
    name: str, wanted: SourceChecks, state: EngineState, report: TableReport | None
) -> CheckedSource:
    found, version = state.sources.get(name), state.source_version(name)
    made = {each.check.name: each for each in report.checks} if report else {}
    before = state.checked.get(name)
    held = {
        wanted.digests[name, check]
        for check, each in made.items()
        if each.outcome == "pass" and (name, check) in wanted.digests
    }
    current_names = {check for source, check in wanted.digests if source == name}
    current = {digest for (source, _), digest in wanted.digests.items() if source == name}
    known = before.checks if before and version and before.version == version else frozenset()
    kept = {
        digest
        for digest in known | wanted.remembered.get(name, frozenset())
        # A digest of the same check with another version of the other source is obsolete.
        if digest in current or digest.partition(" ")[0] not in current_names
    }
    counted = report.rows if report and report.rows is not None else wanted.earlier.rows.get(name)
    rows = counted if counted is not None or found is None else found.rows
    return CheckedSource(
        version or "",
        frozenset(held | kept),
        rows,
        {
            **(before.orphans if before else {}),
            **{check: n for (source, check), n in wanted.earlier.shares.items() if source == name},
            **{
                check: share_of(each)
                for check, each in made.items()
                if (name, check) in wanted.orphans
            },
        },
    )


def share_of(made: CheckReport) -> float:
    """Return the share of rows that violate a check."""
    return made.violations / made.rows if made.rows else 0.0
