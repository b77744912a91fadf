"""Inner and left joins agree where a declared relationship guarantees a match."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any

import ibis
import pytest
from ibis.expr.types import Table

from marts import int64, mart, relationship, source, string
from marts.core.authoring.checks import Check
from marts.core.authoring.expressions import FixedAsOf
from marts.core.proof.guarantees import guarantees_of
from marts.core.proof.mutants import mutants_of
from marts.core.query.contract import schema_of
from support.workshop import project_of

KNOWN = relationship("town", to="towns.town")


def mutated_joins(
    make: Callable[[Any, Any], Table], *, checks: Sequence[Check] = (KNOWN,), null: bool = False
) -> list[str]:
    """Return how joins are exchanged in the mutants of a mart of people and their towns."""
    people = source(
        "people",
        doc="People.",
        grain="id",
        columns=[string("id"), string("town", null=null), string("birth"), int64("age")],
        checks=checks,
    )
    towns = source(
        "towns", doc="Towns.", grain="town", columns=[string("town"), int64("size", null=True)]
    )

    @mart(grain="id", columns=[string("id")])
    def placed(people: Table, towns: Table) -> Table:
        """People."""
        return make(people, towns)

    tables = {t.name: ibis.table(schema_of(t.columns), name=t.name) for t in (people, towns)}
    found = mutants_of(
        placed,
        tables,
        FixedAsOf(datetime.date(2025, 6, 30)),
        guarantees=guarantees_of(project_of(people, towns, placed).project),
    )
    return [mutant.after.partition(" join")[0] for mutant in found if mutant.operator == "join"]


GUARANTEED: dict[str, Callable[[Any, Any], Table]] = {
    "inner": lambda p, t: p.inner_join(t, "town"),
    "left": lambda p, t: p.left_join(t, "town"),
    "the other way round": lambda p, t: p.inner_join(t, t.town == p.town),
    "some of the people": lambda p, t: p.filter(p.age > 18).inner_join(t, "town"),
    "a town of another name": lambda p, t: p.select("id", place="town").inner_join(
        t.select("town"), [("place", "town")]
    ),
    "grouped": lambda p, t: (
        p.group_by("town").aggregate(id=p.id.max()).inner_join(t.mutate(x=1), "town")
    ),
    "a town that may be null is filtered": lambda p, t: p.filter(p.town.notnull()).inner_join(
        t, "town"
    ),
}


@pytest.mark.parametrize("make", GUARANTEED.values(), ids=GUARANTEED)
def test_a_join_that_matches_every_row_is_not_mutated(make: Callable[[Any, Any], Table]) -> None:
    assert mutated_joins(make) == []
    assert len(mutated_joins(make, checks=())) == 1


WITHOUT_GUARANTEE: dict[str, Callable[[Any, Any], Table]] = {
    "some of the towns": lambda p, t: p.inner_join(t.filter(t.town != ""), "town"),
    "another column": lambda p, t: p.inner_join(t, p.birth == t.town),
    "another condition": lambda p, t: p.inner_join(t, ["town", p.age == t.size]),
    "another direction": lambda p, t: t.inner_join(p, "town").select("id"),
    "a changed town": lambda p, t: p.mutate(town=p.town + "!").inner_join(t, "town"),
    "the first towns": lambda p, t: p.inner_join(t.order_by("town").limit(3), "town"),
}


@pytest.mark.parametrize("make", WITHOUT_GUARANTEE.values(), ids=WITHOUT_GUARANTEE)
def test_a_join_without_a_guarantee_is_mutated(make: Callable[[Any, Any], Table]) -> None:
    assert mutated_joins(make) == ["left"]


@pytest.mark.parametrize(
    "check",
    [
        relationship("town", to="towns.town", severity="warn"),
        relationship("town", to="towns.town", threshold=1),
        relationship("town", to="towns.town", where=lambda p: p.age > 18),
    ],
    ids=["a warning", "some may be unknown", "of some people"],
)
def test_a_relationship_that_may_be_broken_guarantees_nothing(check: Check) -> None:
    assert mutated_joins(GUARANTEED["inner"], checks=[check]) == ["left"]


def test_a_null_has_no_match() -> None:
    assert mutated_joins(GUARANTEED["inner"], null=True) == ["left"]
    assert mutated_joins(GUARANTEED["a town that may be null is filtered"], null=True) == []


def test_a_row_without_a_match_in_an_earlier_join_has_none_in_a_later_one() -> None:
    def through(p: Any, t: Any) -> Any:
        other = p.view()
        both = p.left_join(other, p.birth == other.id, rname="other_{name}")
        return both.inner_join(t, other.town == t.town, rname="their_{name}")

    assert "left" in mutated_joins(through)
