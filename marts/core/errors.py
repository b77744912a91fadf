"""One family of errors, split by who can fix them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TypeVar

Value = TypeVar("Value")

MASK = "***"
"""What reports and messages have in place of a value of personal data."""


def masked(value: Value, *, is_personal: bool) -> Value | str:
    """Return a value of a row for people to read: a mask if it is personal.

    Null stays: it is nobody's.
    """
    return MASK if is_personal and value is not None else value


class MartsError(Exception):
    """An error: what is wrong with which thing, then facts, then a hint with the exact edit."""

    def __init__(self, summary: str, *facts: str, hint: str | None = None) -> None:
        super().__init__(summary)
        self.summary = summary
        self.facts = facts
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.summary, *(f"  {fact}" for fact in self.facts)]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


class DefinitionError(MartsError):
    """A source, mart or check is declared wrongly; its author can fix it."""


class SourceError(MartsError):
    """Source data is missing or does not fit its contract; the data's owner can fix it."""


class EngineError(MartsError):
    """An engine, a file or the network failed; whoever runs the environment can fix it."""


class PartlyPublishedError(EngineError):
    """Publishing failed midway: some marts are new, the others old; a rerun repairs it."""

    def __init__(self, new: Sequence[str], old: Sequence[str], cause: BaseException) -> None:
        super().__init__(
            "publishing failed midway",
            f"new: {', '.join(new) or 'none for certain'}",
            f"old: {', '.join(old) or 'none; what is published is not recorded'}",
            f"cause: {str(cause) or type(cause).__name__}",
            hint="run again: it publishes all of them",
        )
        self.new = tuple(new)
        self.old = tuple(old)


class UnknownPublicationError(EngineError):
    """The answer to the commit was lost, and the engine cannot be asked what it did."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(
            "whether this run was published is not known",
            "readers see either all of it or the previous build",
            f"cause: {str(cause) or type(cause).__name__}",
            hint="run again: it publishes what is not published",
        )


class ChangedSourcesError(EngineError):
    """Sources changed while a run read them, so what it built matches no version of them."""

    def __init__(self, changed: Iterable[str]) -> None:
        super().__init__(
            "sources changed while the run read them; nothing was published",
            *changed,
            hint="run again",
        )


class FailedChecksError(MartsError):
    """Checks did not hold, for those who ask a report to raise an error."""

    def __init__(self, checks: Iterable[str]) -> None:
        self.checks = tuple(checks)
        super().__init__("checks did not hold", *self.checks)


class UsageError(MartsError):
    """A command or its arguments are wrong, such as an unknown name; the caller can fix it."""


class NoSuchRowError(MartsError):
    """A mart has no row with the key that is asked for: the answer to a question, not a slip."""


class MartsWarning(UserWarning):
    """Something besides the marts went wrong, such as writing a report of a run."""


def attribute_hint(error: BaseException, columns: Iterable[str]) -> str | None:
    """Return a hint for an expression that fails for a column's name, None for other errors.

    The column is missing, or a join has two of its name.
    """
    if "Name collisions" in str(error):
        return 'name the columns of the right side apart: join(…, rname="{name}_of_it")'
    found = re.search(r"'(\w+)' object has no attribute '(\w+)'", str(error))
    if found is None or not isinstance(error, AttributeError):
        return None
    if found[1].endswith(("Column", "Scalar")):
        return did_you_mean(found[2], (name for name in dir(error.obj) if name[0] != "_"))
    known = list(dict.fromkeys(columns))
    if not known:
        return None
    return did_you_mean(found[2], known) or f"the columns are: {', '.join(known)}"


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return a hint naming the known word nearest to `word`, None if none is near."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else None
