"""Cron expressions, as Snowflake's tasks read them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from marts.core.errors import UsageError

EXAMPLE = 'write it like this: --schedule "0 3 * * *"'
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
RANGE = re.compile(r"(?P<first>\w+)(-(?P<last>\w+))?")


@dataclass(frozen=True)
class _Field:
    """What a field may have: numbers, names in place of them, and what says "the last"."""

    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()
    last: str = r"(?!)"

    def __str__(self) -> str:
        names = f", {self.names[0]}-{self.names[-1]}" if self.names else ""
        return f"{self.lowest}-{self.highest}{names}"

    def has(self, value: str) -> bool:
        if not (value.isascii() and value.isdigit()):
            return value.upper() in self.names
        return self.lowest <= int(value) <= self.highest


FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31, last="L"),
    _Field("month", 1, 12, MONTHS),
    _Field("day of week", 0, 6, WEEKDAYS, last="[0-6]?L"),
)


def cron_of(text: str) -> str:
    """Return a cron expression with one blank between its fields.

    Raises UsageError for what is not one, and for values that a field does not have: Snowflake
    would refuse them only when the task is made.
    """
    parts = text.split()
    if len(parts) != len(FIELDS):
        raise UsageError(
            f"--schedule {text!r} is not a cron expression",
            f"it has five fields: {', '.join(field.name for field in FIELDS)}",
            hint=EXAMPLE,
        )
    for field, part in zip(FIELDS, parts, strict=True):
        for item in part.split(","):
            if not _is_valid(field, item):
                raise UsageError(
                    f"--schedule {text!r} is not a cron expression",
                    f"the {field.name} is {item or 'empty'}, expected {field}",
                    hint=EXAMPLE,
                )
    return " ".join(parts)


def _is_valid(field: _Field, item: str) -> bool:
    """Tell whether a field may have an item of its list, such as `*`, `1-5` or `4/3`."""
    values, slash, step = item.partition("/")
    if slash and not re.fullmatch("[0-9]*[1-9][0-9]*", step):
        return False
    if values == "*" or re.fullmatch(field.last, values, re.IGNORECASE):
        return True
    found = RANGE.fullmatch(values)
    return found is not None and all(map(field.has, filter(None, found.group("first", "last"))))
