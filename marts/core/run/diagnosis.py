"""What a doctor finds: experiments on an engine, each with a verdict, evidence and a remedy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from marts.core.errors import MartsError

Verdict = Literal["ok", "warn", "FAIL", "skip"]
VERDICTS: tuple[Verdict, ...] = ("ok", "skip", "warn", "FAIL")
"""From good to bad."""

Door = TypeVar("Door")


@dataclass(frozen=True)
class Finding:
    """A verdict, what was seen, and the exact statement or edit that helps (None: none is needed).

    FAIL: a run would not work, or not be safe. warn: it would, but somebody should look. skip: it
    could not be found out.
    """

    verdict: Verdict
    evidence: tuple[str, ...] = ()
    remedy: str | None = None


def ok(*evidence: str) -> Finding:
    """Return that all is well."""
    return Finding("ok", evidence)


def skip(*evidence: str, remedy: str | None = None) -> Finding:
    """Return that it could not be found out, and why."""
    return Finding("skip", evidence, remedy)


def verdict_of(problems: Sequence[str], *evidence: str, bad: Verdict, remedy: str) -> Finding:
    """Return ok with the evidence if there are no problems, else a bad verdict with them."""
    return Finding(bad, tuple(problems), remedy) if problems else ok(*evidence)


@dataclass(frozen=True)
class Experiment(Generic[Door]):
    """A question to an engine; `proves` says what is true if the verdict is ok.

    `refused` is the verdict if the engine refuses a statement, so that the answer is not known.
    """

    name: str
    proves: str
    run: Callable[[Door], Finding]
    refused: Verdict = "FAIL"


@dataclass(frozen=True)
class Diagnosis:
    """What an experiment found, and how long it took."""

    experiment: str
    proves: str
    finding: Finding
    seconds: float


class Doctor(Protocol):
    """Makes experiments on one engine, one after the other."""

    where: str
    """What is examined, in words."""

    @property
    def experiments(self) -> Sequence[Experiment[Any]]:
        """The experiments, in order."""

    def examine(self, experiment: Experiment[Any]) -> Diagnosis:
        """Make one experiment. Raises EngineError if the engine cannot be reached any more."""

    def close(self) -> Sequence[str]:
        """Remove what the experiments made, also after an interrupt.

        Returns a line for each thing that could not be removed, with the statement that removes it.
        """


def examine(
    experiment: Experiment[Door],
    door: Door,
    *,
    refusal: Callable[[MartsError], Finding | None] = lambda _: None,
) -> Diagnosis:
    """Make an experiment; an error is a finding, the one of `refusal` if it returns any."""
    start = time.perf_counter()
    try:
        finding = experiment.run(door)
    except MartsError as error:
        usual = Finding(experiment.refused, (error.summary, *error.facts), error.hint)
        finding = refusal(error) or usual
    seconds = time.perf_counter() - start
    return Diagnosis(experiment.name, experiment.proves, finding, seconds)


def is_safe(diagnoses: Iterable[Diagnosis]) -> bool:
    """Tell whether nothing was found that makes a run unsafe."""
    return all(each.finding.verdict != "FAIL" for each in diagnoses)
