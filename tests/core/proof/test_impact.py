"""Impact: which columns of a query a change of one of its relations affects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ibis
import ibis.expr.operations as ops
import pytest

from marts.core.proof.impact import affected_columns

T = ibis.table({"k": "string", "a": "int64", "b": "int64"}, name="t")
U = ibis.table({"k": "string", "v": "int64"}, name="u")


def affected(whole: Any, old: Any, new: Any) -> set[str]:
    relations = whole.op().find(ops.Relation, ordered=True)
    return set(affected_columns(relations, old.op(), new.op()))


def around(make: Callable[[Any], Any]) -> set[str]:
    """Return the columns of `make(changed)` that a change of column a affects."""
    old, new = T.mutate(a=T.a + 1), T.mutate(a=T.a + 2)
    return affected(make(old), old, new)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda t: t, {"a"}),
        (lambda t: t.select("k", "b"), set()),
        (lambda t: t.mutate(c=t.a * t.b, d=t.b + 1), {"a", "c"}),
        (lambda t: t.mutate(c=t.a).mutate(d=lambda r: r.c + 1), {"a", "c", "d"}),
        (lambda t: t.filter(t.b > 0), {"a"}),
        (lambda t: t.filter(t.a > 0), {"k", "a", "b"}),
        (lambda t: t.drop("b"), {"a"}),
        (lambda t: t.order_by("b"), {"a"}),
        (lambda t: t.order_by("a"), {"k", "a", "b"}),
        (lambda t: t.order_by("a").limit(1), {"k", "a", "b"}),
        (lambda t: t.limit(1), {"k", "a", "b"}),
        (lambda t: t.distinct(), {"k", "a", "b"}),
        (lambda t: t.group_by("k").agg(x=t.a.sum(), y=t.b.sum()), {"x"}),
        (lambda t: t.group_by("a").agg(y=t.b.sum()), {"a", "y"}),
        (lambda t: t.left_join(U, "k").select("k", "a", "v"), {"a"}),
        (lambda t: t.left_join(U, t.a == U.v).select("k", "v"), {"k", "v"}),
        (lambda t: U.left_join(t, "k").select("k", "v", "a"), {"a"}),
        (lambda t: U.mutate(top=t.a.max().as_scalar()), {"top"}),
        (lambda t: U.filter(U.v.isin(t.a)), {"k", "v"}),
        (lambda t: t.mutate(c=t.b.sum().over(group_by=t.a)), {"a", "c"}),
        (lambda t: t.select("k", "a").union(T.select("k", "a")), {"k", "a"}),
    ],
)
def test_a_changed_column_affects(make: Callable[[Any], Any], expected: set[str]) -> None:
    assert around(make) == expected


def test_other_rows_affect_all_columns() -> None:
    old, new = T.filter(T.a > 0), T.filter(T.a > 1)
    whole = old.group_by("k").agg(y=old.b.sum())
    assert affected(whole, old, new) == {"k", "y"}


def test_a_projection_of_another_table_affects_all_columns() -> None:
    old, new = T.mutate(a=T.a + 1), T.filter(T.b > 0).mutate(a=lambda t: t.a + 1)
    assert affected(old, old, new) == {"k", "a", "b"}
