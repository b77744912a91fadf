"""The order desk tests its marts with rows of its own, by the fixtures that come with marts."""

import datetime

from marts import MartsBuilder, Project, assert_same_table, build

DAY = datetime.date(1998, 3, 31)
ORDERS = [
    {"o_orderkey": 1, "o_orderdate": DAY},
    {"o_orderkey": 2, "o_orderdate": DAY},
    {"o_orderkey": 3, "o_orderdate": DAY + datetime.timedelta(days=1)},
]
LINES = [{"l_orderkey": key, "l_linenumber": n} for key, n in [(1, 1), (2, 1), (2, 2), (3, 1)]]
ROWS = {"orders": ORDERS, "lineitem": LINES}


def test_an_order_of_tomorrow_is_not_counted(duckdb_marts: MartsBuilder) -> None:
    sizes = duckdb_marts.build(ROWS, DAY)["order_sizes"].to_pylist()
    assert {row["size"]: row["orders"] for row in sizes} == {"single": 1, "small": 1}


def test_snowflake_computes_the_same(
    duckdb_marts: MartsBuilder, snowflake_marts: MartsBuilder
) -> None:
    here, there = (each.build(ROWS, DAY) for each in (duckdb_marts, snowflake_marts))
    for name in here:
        assert_same_table(there[name], here[name], grain=(), sql=there.sql[name])


def test_python_builds_what_the_fixture_builds(duckdb_marts: MartsBuilder) -> None:
    built = build(Project.load(), ROWS, "1998-03-31", marts="order_sizes")
    assert built == {"order_sizes": duckdb_marts.build(ROWS, DAY)["order_sizes"]}
