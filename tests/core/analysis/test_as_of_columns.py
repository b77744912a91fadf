"""Columns that change with every as-of date are told from those that respond to it."""

from __future__ import annotations

from collections.abc import Callable

import ibis
import ibis.expr.types as ir
import pytest

from marts import AsOf, date, int64, mart, money, source, string
from marts.core.analysis.as_of_columns import as_of_columns
from support.workshop import project_of

PEOPLE = source(
    "people",
    doc="People.",
    grain="person_id",
    columns=[
        string("person_id"),
        date("joined_on"),
        money("spend"),
        date("paid_on"),
        int64("points"),
    ],
)


@mart(
    grain="person_id",
    columns=[
        string("person_id"),
        date("made_on"),
        date("window_from"),
        int64("days_since"),
        string("band"),
        int64("version"),
        money("recent"),
    ],
)
def ages(people: ir.Table, as_of: AsOf) -> ir.Table:
    """Ages of people."""
    days = as_of.date.delta(people.joined_on, unit="day")
    return people.select(
        "person_id",
        made_on=as_of.date,
        window_from=as_of.minus(days=30),
        days_since=days,
        band=ibis.ifelse(days > 90, "old", "new"),
        version=7,
        recent=ibis.ifelse(people.paid_on >= as_of.minus(days=90), people.spend, 0),
    )


@mart(grain="band", columns=[string("band"), date("as_of_day"), int64("people"), money("recent")])
def bands(ages: ir.Table) -> ir.Table:
    """Bands of ages."""
    return ages.group_by("band").aggregate(
        as_of_day=ages.made_on.max(), people=ages.count(), recent=ages.recent.sum()
    )


def test_dates_and_ages_change_with_every_date_but_not_what_only_depends_on_it() -> None:
    found = as_of_columns(project_of(PEOPLE, ages, bands))
    assert found == {
        "ages": {"made_on", "window_from", "days_since"},
        "bands": {"as_of_day"},
    }


@pytest.mark.parametrize(
    ("number", "is_left_out"),
    [
        (lambda _, days: days + 1, True),
        (lambda t, days: days - t.joined_on.year() - (t.paid_on < t.joined_on).cast("int64"), True),
        (lambda _, days: ibis.least(days, 365), True),
        (lambda t, days: days + t.points, False),
        (lambda t, days: t.points - days, False),
        (lambda t, days: ibis.coalesce(t.points, days), False),
        (lambda t, days: ibis.greatest(days, t.points), False),
        (lambda t, days: days + t.count(), False),
    ],
    ids=["later", "calendar", "at most", "sum", "rest", "instead", "greater", "count"],
)
def test_a_number_that_is_also_made_of_other_numbers_is_not_left_out(
    number: Callable[[ir.Table, ir.IntegerValue], ir.IntegerValue],
    is_left_out: bool,
) -> None:
    def scores(people: ir.Table, as_of: AsOf) -> ir.Table:
        """Scores of people."""
        days = as_of.date.delta(people.joined_on, unit="day")
        return people.select("person_id", score=number(people, days))

    declared = mart(grain="person_id", columns=[string("person_id"), int64("score")])(scores)
    found = as_of_columns(project_of(PEOPLE, declared))["scores"]
    assert ("score" in found) == is_left_out
