"""What a view's definition says, and what only DuckDB's way of writing it."""

from __future__ import annotations

import pytest

from backends.duckdb_views import words_of

AT_FIRST = (
    "SELECT * FROM (((SELECT 1 AS n FROM (x CROSS JOIN y)) AS a CROSS JOIN b)"
    " LEFT JOIN (c INNER JOIN d USING (m)) ON ((a.n = c.n)))"
)


def test_parentheses_of_joins_say_nothing() -> None:
    later = (
        "SELECT *  FROM (SELECT 1 AS n FROM x , y) AS a , b"
        " LEFT JOIN c INNER JOIN d USING (m) ON ((a.n = c.n))"
    )
    assert words_of(AT_FIRST) == words_of(later)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (AT_FIRST, AT_FIRST.replace("LEFT", "INNER")),
        ("SELECT 'CROSS' AS a", "SELECT '' AS a"),
        ("SELECT 'TEXT' AS a", "SELECT 'VARCHAR' AS a"),
        ("SELECT ((a + b) * c) FROM t", "SELECT (a + (b * c)) FROM t"),
        (
            "SELECT (a IS DISTINCT FROM (b + (SELECT 1 FROM u JOIN v))) FROM t",
            "SELECT (a IS DISTINCT FROM b + (SELECT 1 FROM u JOIN v)) FROM t",
        ),
        (
            "SELECT * FROM (SELECT 1 FROM a JOIN b) AS t",
            "SELECT * FROM SELECT 1 FROM a JOIN b AS t",
        ),
        (
            "SELECT * FROM ((SELECT 1 FROM a JOIN b) UNION (SELECT 2)) AS t",
            "SELECT * FROM (SELECT 1 FROM a JOIN b UNION (SELECT 2)) AS t",
        ),
    ],
)
def test_other_parentheses_and_words_are_part_of_a_definition(one: str, other: str) -> None:
    assert words_of(one) != words_of(other)
