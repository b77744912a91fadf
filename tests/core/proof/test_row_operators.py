"""Mutations of rows: what each operator makes of a small query, as it is reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from marts import AsOf
from support.mutants import ON_KEY, Change, changes, mutants


def of_rows(operator: str, make: Callable[..., Any]) -> list[Change]:
    """Return what an operator makes of the rows that a mart returns."""
    return changes(operator, mutants(make))


def distinct_union(t: Any, u: Any, _: AsOf) -> Any:
    return t.select("k").union(u.select("k"), distinct=True)


ROWS: list[tuple[str, Callable[..., Any], list[Change]]] = [
    (
        "condition dropped",
        lambda t, *_: t.filter(t.b, t.n == 1),
        [("filter(b)", "every row"), ("filter(n == 1)", "every row")],
    ),
    (
        "join",
        lambda t, u, _: t.inner_join(u, "k"),
        [(f"inner join {ON_KEY}", f"left join {ON_KEY}")],
    ),
    (
        "join",
        lambda t, u, _: t.left_join(u, "k"),
        [(f"left join {ON_KEY}", f"inner join {ON_KEY}")],
    ),
    (
        "join",
        lambda t, u, _: t.semi_join(u, "k"),
        [
            (f"semi join {ON_KEY}", f"anti join {ON_KEY}"),
            (f"semi join {ON_KEY}", f"left join {ON_KEY}"),
        ],
    ),
    (
        "join",
        lambda t, u, _: t.anti_join(u.filter(u.n == 1), "k"),
        [
            ("anti join (from u) on t.k == u.k", "semi join (from u) on t.k == u.k"),
            ("anti join (from u) on t.k == u.k", "left join (from u) on t.k == u.k"),
        ],
    ),
    (
        "condition dropped",
        lambda t, u, _: t.left_join(u, ["k", "n"]),
        [
            (f"left join {ON_KEY} and t.n == u.n", "… without t.k == u.k"),
            (f"left join {ON_KEY} and t.n == u.n", "… without t.n == u.n"),
        ],
    ),
    # A join of all pairs of rows except the wanted ones is not a likely mistake.
    ("negation", lambda t, u, _: t.left_join(u, "k"), []),
    (
        "distinct dropped",
        lambda t, *_: t.select("k").distinct(),
        [("distinct (from t)", "all rows")],
    ),
    (
        "set",
        distinct_union,
        [
            ("union of (from t) and (from u)", "the first alone"),
            ("union of (from t) and (from u)", "the second alone"),
            ("union of (from t) and (from u), distinct rows", "all rows"),
        ],
    ),
    (
        "set",
        lambda t, u, _: t.select("k").difference(u.select("k")),
        [("difference of (from t) and (from u)", "the first alone")],
    ),
    (
        "order reversed",
        lambda t, *_: t.order_by(t.n.desc(), "k").limit(3),
        [
            ("order by n desc, k", "order by n, k"),
            ("order by n desc, k", "order by n desc, k desc"),
        ],
    ),
    ("order reversed", lambda t, *_: t.order_by("n"), []),
    ("literal", lambda t, *_: t.order_by("n").limit(3), [("limit 3", "limit 4")]),
]


@pytest.mark.parametrize(("operator", "make", "expected"), ROWS)
def test_rows(operator: str, make: Callable[..., Any], expected: list[Change]) -> None:
    assert of_rows(operator, make) == expected
