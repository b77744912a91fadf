"""How a source is read at one moment on Snowflake: pinned, copied, or compared at the end.

Pure functions. https://docs.snowflake.com/en/sql-reference/constructs/at-before
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from typing import Literal

import sqlglot.expressions as sge

from backends.snowflake_catalog import Row

Definition = tuple[object, object]

Way = Literal["pinned", "copied", "compared"]
"""A pinned source is read as it was at a moment of the past. Another is copied, and the copy is
read; if the catalog shows when its rows change, that is compared at the end instead."""

CLOCK = sge.select(sge.CurrentTimestamp())
"""The server's clock."""
MILLISECOND = datetime.timedelta(milliseconds=1)
SKEW = 100 * MILLISECOND
"""How far the time of a commit may be from the clock: the manual says "slightly"."""
FORMAT = "YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM"


def moment_of(clock: datetime.datetime) -> datetime.datetime:
    """Return the first whole millisecond that is not before a time, which has a zone, in UTC.

    Time Travel knows no shorter time.
    """
    clock = clock.astimezone(datetime.UTC)
    return clock + -datetime.timedelta(microseconds=clock.microsecond) % MILLISECOND


def in_words(moment: datetime.datetime) -> str:
    """Return a moment of `moment_of` as people read it."""
    return f"{_text(moment)} UTC"


def _text(moment: datetime.datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")


def pinned(table: sge.Table, moment: datetime.datetime | sge.Placeholder) -> sge.Table:
    """Return a table as it was at a moment, whatever the session's zone and formats are.

    A variable in its place has the moment as text.
    """
    text = (
        sge.Literal.string(f"{_text(moment)} +00:00")
        if isinstance(moment, datetime.datetime)
        else moment.copy()
    )
    at = [text, sge.Literal.string(FORMAT)]
    when = sge.HistoricalData(
        this=sge.var("AT"),
        kind=sge.var("TIMESTAMP"),
        # SQLGlot would write the format in its own way.
        expression=sge.Anonymous(this="TO_TIMESTAMP_TZ", expressions=at),
    )
    table = table.copy()
    table.set("when", when)
    return table


def may_be_pinned(table: Row, views: Mapping[str, Row]) -> bool:
    """Tell whether a table or view may have Time Travel; `views` are the rows of VIEWS."""
    name, kind = table["TABLE_NAME"], table["TABLE_TYPE"]
    if kind == "VIEW":
        return name in views and views[name]["IS_SECURE"] == "NO"
    return kind == "BASE TABLE" and int(table["RETENTION_TIME"] or 0) > 0


def is_settled(table: Row, moment: datetime.datetime) -> bool:
    """Tell whether the last change of a table is surely part of what it was at a moment."""
    return bool(table["LAST_ALTERED"] < moment - SKEW)


def probe(tables: Iterable[sge.Table]) -> sge.Select:
    """Return a query that fails if one of some tables or views cannot be pinned as it is here.

    The catalog does not tell which tables are shared, or what a view reads.
    """
    rows = (sge.select("1").from_(table).limit(1).subquery() for table in tables)
    queries: Iterator[sge.Query] = (sge.select("1").from_(row) for row in rows)
    every = reduce(lambda found, query: sge.union(found, query, distinct=False), queries)
    return sge.select(sge.Count(this=sge.Star())).from_(every.subquery())


def definition_of(table: Row) -> Definition:
    """Return what changes whenever a table or view is replaced or altered, but not with its rows.

    A moment pins the rows of a table, but neither its name nor its columns: after ALTER TABLE …
    SWAP WITH or RENAME the same name and moment are other rows.
    """
    return table.get("CREATED"), table.get("LAST_DDL")
