"""When violations of a check count: severity, threshold, and warnings that are acknowledged."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Severity = Literal["error", "warn"]


@dataclass(frozen=True)
class Rate:
    """A share of the rows that a check looks at, in percent."""

    percent: Decimal

    def __str__(self) -> str:
        return f"{self.percent.normalize():f}%"

    def of(self, rows: int) -> int:
        """Return how many violations are tolerated among this many rows."""
        return int(self.percent * rows / 100)


Threshold = int | Rate


def tolerated(threshold: Threshold, rows: int) -> int:
    """Return how many violations a threshold tolerates among this many rows."""
    return threshold.of(rows) if isinstance(threshold, Rate) else threshold


def threshold_of(given: int | str | Rate) -> Threshold:
    """Return a declared threshold: a number of rows, or a rate such as "0.5%".

    A text that is not a rate becomes a negative rate, which `threshold_flaw` refuses.
    """
    if isinstance(given, str):
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", given.strip())
        return Rate(Decimal(found[1])) if found else Rate(Decimal(-1))
    return given


def threshold_flaw(threshold: object) -> str | None:
    """Say what is wrong with a threshold; None if nothing is."""
    match threshold:
        case bool():
            return f"threshold is {threshold}, not a number of rows"
        case int():
            return f"threshold is {threshold}, below 0" if threshold < 0 else None
        case Rate(percent):
            fits = 0 <= percent <= 100
            return None if fits else 'threshold is not a rate from "0%" to "100%", such as "0.5%"'
        case _:
            return f'threshold is {threshold!r}, neither a number of rows nor a rate such as "0.5%"'


@dataclass(frozen=True, kw_only=True)
class Acknowledgement:
    """A known warning, which is counted but not shown until a date."""

    check: str
    reason: str
    until: datetime.date


def acknowledge(check: str, *, reason: str, until: str | datetime.date) -> Acknowledgement:
    """Declare that a check's warning is known, and do not show it until a date.

    `check` is the check's name in reports. `until`, such as `"2027-06-30"`, is the last as-of date
    on which it is not shown. Only a check of severity "warn" can be acknowledged, once, with a
    reason; anything else is refused with the table that declares it. Raises ValueError if `until`
    is not a date.
    """
    day = until if isinstance(until, datetime.date) else datetime.date.fromisoformat(until)
    return Acknowledgement(check=check, reason=reason, until=day)


def acknowledgement_flaws(acknowledged: Iterable[Acknowledgement]) -> Iterator[str]:
    """Yield what is wrong with acknowledgements, one line each."""
    seen = set[str]()
    for each in acknowledged:
        if not each.reason.strip():
            yield f"the acknowledgement of {each.check} has no reason"
        if each.check in seen:
            yield f"{each.check} is acknowledged twice"
        seen.add(each.check)
