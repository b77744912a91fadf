"""The messages about what a doctor found, as plain text and as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from marts.core.console.messages import Line
from marts.core.run.diagnosis import VERDICTS, Diagnosis, is_safe
from marts.core.run.formats import counted

INDENT = " " * 8
"""Of the lines below that of an experiment, which begins with its verdict."""


def diagnosis_line(found: Diagnosis, *, width: int) -> Line:
    """Return what an experiment found: in one line if all is well, else with lines below it."""
    finding = found.finding
    head = f"{found.experiment:<{width}}  {found.proves}"
    if finding.verdict == "ok":
        return "ok", ": ".join([head, "; ".join(finding.evidence)]) if finding.evidence else head
    remedy = [f"remedy: {finding.remedy}"] if finding.remedy else []
    below = [INDENT + line.replace("\n", f"\n{INDENT}") for line in (*finding.evidence, *remedy)]
    return finding.verdict, "\n".join([head, *below])


def diagnoses_line(found: Sequence[Diagnosis], seconds: float) -> Line:
    """Return how many experiments had which verdict, and whether a run would be safe."""
    numbers = Counter(each.finding.verdict for each in found)
    parts = ", ".join(f"{numbers[verdict]} {verdict}" for verdict in VERDICTS if numbers[verdict])
    text = f"{counted(len(found), 'experiment')}: {parts or 'none'}, in {seconds:.1f} s"
    if is_safe(found):
        return "done", f"nothing was found that would make a run unsafe; {text}"
    return "stop", f"do not run before each FAIL is remedied; {text}"


def diagnoses_document(found: Sequence[Diagnosis], *, backend: str) -> dict[str, object]:
    """Return what was found as data."""
    return {
        "backend": backend,
        "is_safe": is_safe(found),
        "diagnoses": [
            {
                "experiment": each.experiment,
                "proves": each.proves,
                "verdict": each.finding.verdict,
                "evidence": list(each.finding.evidence),
                "remedy": each.finding.remedy,
                "seconds": round(each.seconds, 3),
            }
            for each in found
        ],
    }
