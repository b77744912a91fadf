"""Say in plain words what mutants show; no colour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from marts.core.console.messages import Line, counted
from marts.core.proof.equivalent_mutants import MutationReport, Stale, entry_of, entry_text
from marts.core.proof.mutants import Mutant


def report_line(judgement: MutationReport) -> Line:
    """Say how many mutants of a mart there are, and what became of them."""
    report = judgement.report
    alive = f"{len(judgement.surviving)} survive" if judgement.surviving else ""
    tried = counted(len(report.results), "mutant")
    text = (
        f"{report.mart.name:<34}{tried:>13}{judgement.killed:>6} killed"
        f"{len(judgement.allowed):>5} allowed{alive:>13}{report.seconds:>8.2f} s"
    )
    return ("FAIL" if judgement.has_failed else "ok"), text


def stale_line(stale: Stale) -> Line:
    """Say which entry of the list of allowed mutants is to be removed, and why."""
    entry = stale.entry
    named = f"{entry.mart}, {entry.operator}: {entry.before} → {entry.after}"
    return "FAIL", f"list of allowed mutants: {named}\n      {stale.why}; remove the entry"


def remedy_lines(surviving: Iterable[Mutant], allowed_in: str) -> Iterator[str]:
    """Say what to do about mutants that survive."""
    yield "A mutant that survives is a slip that nobody would notice. For each, either add to the"
    yield "data a row on which it shows, so that the tests on that data notice it; or, where no row"
    yield f"could show it, add to {allowed_in}, with the reason:"
    for mutant in surviving:
        yield ""
        yield entry_text(entry_of(mutant, reason=""))


def verdict_line(judgements: Iterable[MutationReport], unknown: Iterable[Stale]) -> Line:
    """Say how all of it ended."""
    judged = list(judgements)
    total = sum(len(each.report.results) for each in judged)
    alive = sum(len(each.surviving) for each in judged)
    stale = sum(len(each.stale) for each in judged) + len(list(unknown))
    seconds = sum(each.report.seconds for each in judged)
    if not alive and not stale:
        return "done", f"each of {total} mutants is killed or allowed, in {seconds:.2f} s"
    found = [f"{alive} of {total} mutants survive"] if alive else []
    entries = "1 entry of the list is" if stale == 1 else f"{stale} entries of the list are"
    found += [f"{entries} stale"] if stale else []
    return "stop", f"{'; '.join(found)}, in {seconds:.2f} s"


def mutation_document(
    judgements: Iterable[MutationReport], unknown: Iterable[Stale]
) -> dict[str, object]:
    """Return what became of all mutants as data."""
    return {
        "schema_version": 1,
        "marts": [
            {
                "mart": each.report.mart.name,
                "mutants": len(each.report.results),
                "killed": each.killed,
                "noticed_by": Counter(t.killed_by for t in each.report.results if t.killed_by),
                "allowed": [_mutant_document(mutant) for mutant in each.allowed],
                "surviving": [_mutant_document(mutant) for mutant in each.surviving],
                "stale": [_stale_document(stale) for stale in each.stale],
                "seconds": round(each.report.seconds, 3),
            }
            for each in judgements
        ],
        "stale": [_stale_document(stale) for stale in unknown],
    }


def _mutant_document(mutant: Mutant) -> dict[str, str]:
    return {
        "operator": mutant.operator,
        "before": mutant.before,
        "after": mutant.after,
        "place": mutant.location,
    }


def _stale_document(stale: Stale) -> dict[str, str]:
    return {**asdict(stale.entry), "why": stale.why}
