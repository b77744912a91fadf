"""`marts lineage`: tables, a tree and JSON, and names that do not exist."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from marts.core.console.lineage_messages import TreeLine
from marts.core.console.lineage_terminal import print_lineage
from support.processes import Marts, one_document

DONE, ASKED_WRONGLY = 0, 2


@pytest.fixture
def shop(called: Marts) -> Marts:
    """Run `marts …` on the bicycle shop."""
    return partial(called, MARTS_PACKAGE="toy_shop")


def lines_of(printed: str) -> list[str]:
    """Return the lines, each with single spaces and without rules."""
    lines = (" ".join(line.split()) for line in printed.splitlines())
    return [line for line in lines if line and "──────" not in line]


def test_a_mart_is_shown_column_by_column_with_direct_and_indirect_lineage_apart(
    shop: Marts,
) -> None:
    done = shop("lineage", "model_sales")
    assert done.returncode == DONE, done.stderr
    assert lines_of(done.stdout) == [
        "direct: what the values are made of",
        "column kind table columns",
        "month transformation orders ordered_at",
        "model transformation orders model",
        "sold aggregation int_paid_orders its rows",
        "revenue aggregation orders amount",
        "indirect: what decides the values",
        "column kind table columns",
        "every column filter orders ordered_at, status",
        "group by orders model, ordered_at",
    ]


def test_a_column_is_shown_as_a_tree_through_the_marts_between(shop: Marts) -> None:
    done = shop("lineage", "shop_overview.best_customer", "--direct")
    assert lines_of(done.stdout)[:3] == [
        "shop_overview.best_customer",
        "└── customer_totals.customer_id (identity)",
        "└── customers.customer_id (identity)",
    ]
    assert "indirect" not in done.stdout


def test_no_line_of_a_tree_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{'a' * 60}.{letter * 60}" for letter in "bc"]
    print_lineage((), TreeLine(names[0], (TreeLine(names[1]),)))
    assert capsys.readouterr().out.splitlines() == [names[0], f"└── {names[1]}", ""]


def test_downstream_is_asked_of_sources_too(shop: Marts) -> None:
    done = shop("lineage", "orders.model", "--downstream", "--direct")
    assert lines_of(done.stdout) == [
        "direct: what is made of the values",
        "column kind mart columns",
        "model transformation int_paid_orders model",
        "model_sales model",
        "aggregation shop_overview models",
    ]


def test_json_has_the_words_of_openlineage(shop: Marts) -> None:
    def field(name: str, column: str, kind: str, subtype: str) -> Any:
        return {
            "name": name,
            "field": column,
            "transformations": [{"type": kind, "subtype": subtype}],
        }

    document = one_document(shop("lineage", "model_sales.revenue", "--json").stdout)
    assert document["fields"] == {
        "revenue": {
            "inputFields": [field("int_paid_orders", "amount", "DIRECT", "AGGREGATION")],
            "sourceFields": [field("orders", "amount", "DIRECT", "AGGREGATION")],
            "countedRows": [],
        }
    }
    assert document["dataset"]["inputFields"] == [
        field("int_paid_orders", "model", "INDIRECT", "GROUP_BY"),
        field("int_paid_orders", "ordered_at", "INDIRECT", "GROUP_BY"),
    ]
    assert field("orders", "status", "INDIRECT", "FILTER") in document["dataset"]["sourceFields"]
    document = one_document(shop("lineage", "orders.model", "--downstream", "--json").stdout)
    assert (
        field("model_sales", "sold", "INDIRECT", "GROUP_BY")
        in (document["fields"]["model"]["outputFields"])
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ".revenue",
            """.revenue is not MART or MART.COLUMN
hint: name its table, too: model_sales.revenue, shop_overview.revenue""",
        ),
        (".x", ".x is not MART or MART.COLUMN\nhint: marts lineage MART.x"),
        (
            "model_sales.",
            "model_sales. is not MART or MART.COLUMN\nhint: marts lineage model_sales",
        ),
        ("", "'' is not MART or MART.COLUMN\nhint: marts lineage MART"),
        ("model_sale", "there is no mart or source model_sale\nhint: did you mean model_sales?"),
        (
            "revenue",
            """there is no mart or source revenue
hint: name its table, too: model_sales.revenue, shop_overview.revenue""",
        ),
        (
            "model_sales.revnue",
            """model_sales has no column revnue
  its columns are: month, model, sold, revenue
hint: did you mean revenue?""",
        ),
        (
            "orders.status",
            """orders is a source: nothing in the project feeds it
hint: to see what it feeds: marts lineage orders.status --downstream""",
        ),
    ],
)
def test_what_does_not_exist_is_refused_with_the_nearest_name(
    words: str, said: str, shop: Marts
) -> None:
    done = shop("lineage", words)
    assert (done.returncode, done.stdout, done.stderr) == (ASKED_WRONGLY, "", f"error: {said}\n")
