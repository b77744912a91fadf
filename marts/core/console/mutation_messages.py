"""The messages of `marts mutate`, as plain text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from marts.core.console.messages import Line
from marts.core.proof.equivalent_mutants import MutationReport, Stale, entry_of, entry_text
from marts.core.proof.mutants import Mutant
from marts.core.run.formats import counted


def report_line(report: MutationReport) -> Line:
    """Return how many mutants of a mart were killed, are allowed, and survive."""
    run = report.run
    alive = f"{len(report.surviving)} survive" if report.surviving else ""
    mutants = counted(len(run.results), "mutant")
    text = (
        f"{run.mart.name:<34}{mutants:>13}{report.killed:>6} killed"
        f"{len(report.allowed):>5} allowed{alive:>13}{run.seconds:>8.2f} s"
    )
    return ("FAIL" if report.has_failed else "ok"), text


def stale_line(stale: Stale) -> Line:
    """Return which entry of the list of allowed mutants must be removed, and why."""
    entry = stale.entry
    named = f"{entry.mart}, {entry.operator}: {entry.before} → {entry.after}"
    return "FAIL", f"list of allowed mutants: {named}\n      {stale.why}; remove the entry"


def remedy_lines(surviving: Iterable[Mutant], allowed_in: str) -> Iterator[str]:
    """Yield what to do about mutants that survive a test of the data."""
    yield "A mutant that survives is a mistake that no test would detect. For each, either add a"
    yield "row to the data for which the mart's result differs, so that a test on it can fail; or,"
    yield f"where no row makes a difference, add to {allowed_in}, with the reason:"
    yield from _entries(surviving)


def proof_remedy_lines(surviving: Sequence[Mutant], allowed_in: str) -> Iterator[str]:
    """Yield what to do about mutants that survive a proof."""
    yield "A mutant that survives is a mistake that this proof would not notice. For each, either"
    yield "add an example of rows on which the mart's result differs; or, where no row makes a"
    yield f"difference, add to {allowed_in}, with the reason:"
    yield from _entries(surviving)


def _entries(surviving: Iterable[Mutant]) -> Iterator[str]:
    for mutant in surviving:
        yield ""
        yield entry_text(entry_of(mutant, reason=""))


def summary_line(reports: Iterable[MutationReport], unknown: Iterable[Stale]) -> Line:
    """Return one line that sums up all marts."""
    scored = list(reports)
    total = sum(len(each.run.results) for each in scored)
    alive = sum(len(each.surviving) for each in scored)
    stale = sum(len(each.stale) for each in scored) + len(list(unknown))
    seconds = sum(each.run.seconds for each in scored)
    if not alive and not stale:
        return "done", f"each of {total} mutants is killed or allowed, in {seconds:.2f} s"
    found = [f"{alive} of {total} mutants survive"] if alive else []
    entries = "1 entry of the list is" if stale == 1 else f"{stale} entries of the list are"
    found += [f"{entries} stale"] if stale else []
    return "stop", f"{'; '.join(found)}, in {seconds:.2f} s"


def mutation_document(
    reports: Iterable[MutationReport], unknown: Iterable[Stale]
) -> dict[str, object]:
    """Return the JSON document of the results."""
    return {
        "schema_version": 1,
        "marts": [
            {
                "mart": each.run.mart.name,
                "mutants": len(each.run.results),
                "killed": each.killed,
                "noticed_by": Counter(t.killed_by for t in each.run.results if t.killed_by),
                "allowed": [_mutant_document(mutant) for mutant in each.allowed],
                "surviving": [_mutant_document(mutant) for mutant in each.surviving],
                "stale": [_stale_document(stale) for stale in each.stale],
                "seconds": round(each.run.seconds, 3),
            }
            for each in reports
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
