"""How old the newest row of a table is, at the moment of a run."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

from marts.core.authoring.checks import FreshCheck
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart, Source

HOUR, MINUTE = datetime.timedelta(hours=1), datetime.timedelta(minutes=1)
A_DAY = datetime.timedelta(days=1)
"""By so much a clock or a local time that is not declared as one may be ahead."""
DAYS_ALONE = 7
"""From so many days, hours and minutes say nothing."""


def moment_of(as_of: FixedAsOf, now: datetime.datetime) -> datetime.datetime:
    """Return the moment of a run, in UTC: now, or the end of its date if that is over."""
    next_day = as_of.day + datetime.timedelta(days=1)
    return min(now, datetime.datetime.combine(next_day, datetime.time(), datetime.UTC))


def age(
    newest: datetime.date | str | None,
    check: FreshCheck,
    table: Source | Mart,
    moment: datetime.datetime,
    now: datetime.datetime,
) -> tuple[bool, str]:
    """Tell whether a column's newest value is old, or there is none; and say how old it is.

    A value of the future, by more than a day, says nothing of when rows came.
    """
    if newest is None:
        return True, f"no row has a {check.column}"
    if isinstance(newest, str):
        # Python has no such date, but DuckDB has.
        return True, f"the newest {check.column} is {newest}, not in the years 1 to 9999"
    zone = next(column.zone for column in table.columns if column.name == check.column)
    at = _in_utc(newest, zone)
    if at - now > A_DAY:
        return True, f"the newest {check.column} is {_shown(at)}, {_long(at - now)} in the future"
    old = moment - at
    side = "after" if at > moment else "before"
    found = f"the newest {check.column} is {_shown(at)}, {_long(abs(old))} {side} {_shown(moment)}"
    return old / HOUR > check.hours, f"{found}; at most {check.hours:g} h are allowed"


def _long(time: datetime.timedelta) -> str:
    if time.days >= DAYS_ALONE:
        return f"{time.days:,} days"
    minutes = int(time / MINUTE)
    return f"{minutes // 60} h {minutes % 60} min"


def _in_utc(newest: datetime.date, zone: str | None) -> datetime.datetime:
    if not isinstance(newest, datetime.datetime):
        return datetime.datetime.combine(newest, datetime.time(), datetime.UTC)
    # Of an hour that the clock passes twice, the first is meant: the value is older then.
    local = newest.replace(tzinfo=ZoneInfo(zone) if zone else datetime.UTC, fold=0)
    try:
        return local.astimezone(datetime.UTC)
    except OverflowError:
        # On the last day of the year 9999, some hours do not matter.
        return local.replace(tzinfo=datetime.UTC)


def _shown(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
