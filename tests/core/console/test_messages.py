"""Plain words: of a plan before it is carried out, and of a run afterwards."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from marts import row_check
from marts.core.console.messages import (
    doing,
    outcome_lines,
    plan_document,
    plan_lines,
    reason_lines,
    table_line,
    table_of,
)
from marts.core.console.mutation_messages import report_line, stale_line, summary_line
from marts.core.errors import EngineError
from marts.core.plan.steps import SkippedCheck
from marts.core.proof.equivalent_mutants import Equivalent, MutationReport, Stale
from marts.core.proof.mutation import MutationRun
from marts.core.run.report import CheckReport, Report, TableReport
from support.workshop import SHOP, Workshop

TOTALS = SHOP.project.marts["customer_totals"]
TARGET = Path("target")
SAMPLE = "target/failures/customer_totals.odd_warn.csv"
UNCHANGED = "nothing was published; what was published before is unchanged"


def check(severity: Any, violations: int, sample: int = 0) -> CheckReport:
    made = row_check(f"odd_{severity}", offending=lambda t: t.tier == "", severity=severity)
    return CheckReport(made, violations, tuple({"customer_id": n} for n in range(sample)))


def report(status: Any, *checks: CheckReport, sql: str | None = "SELECT 1") -> Report:
    table = TableReport(TOTALS, sql, 1234, 0.5, 0.25, list(checks))
    now = datetime.datetime(2025, 6, 30, tzinfo=datetime.UTC)
    return Report("r", status, now, 1.5, (table,), (), (), ())


def test_a_plan_in_words(shop: Workshop) -> None:
    plan = shop.plan("+model_sales")
    assert plan_lines(plan) == [
        "as of 2025-06-30; nothing is done:",
        "  build    int_paid_orders (view)",
        "  check    int_paid_orders: 9 checks in one query",
        "  build    model_sales (table)",
        "  check    model_sales: 7 checks in one query",
        "  check    model_sales: month_and_model_unique",
        "  check    model_sales: no_more_than_was_paid",
        "  check    model_sales: some_revenue",
        "  publish  2 marts at once",
    ]
    assert [doing(step) for step in plan.steps] == [
        "building int_paid_orders",
        "checking int_paid_orders",
        "building model_sales",
        *["checking model_sales"] * 4,
    ]
    assert [table_of(step) for step in plan.steps] == [
        *["int_paid_orders"] * 2,
        *["model_sales"] * 5,
    ]


AT = "pinned at 2026-11-26 10:32:11.123 UTC"
COPIED = "copied at 2026-11-26 10:32:15.001 UTC"


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ({}, []),
        ({"customers": AT, "orders": AT}, [f"sources {AT}"]),
        ({"a": COPIED, "b": AT, "c": AT, "d": COPIED, "e": AT}, [f"sources {AT}; a, d {COPIED}"]),
    ],
)
def test_how_sources_were_read_is_one_line(
    sources: dict[str, str], said: list[str], shop: Workshop
) -> None:
    made = replace(report("published"), sources_read=sources)
    assert [text for label, text in outcome_lines(made, TARGET) if label == "read"] == said
    plan = shop.plan("+model_sales")
    assert plan_lines(plan, (), sources)[1 : 1 + len(said)] == [
        f"  read     {text}" for text in said
    ]
    assert plan_document(plan, (), (), sources)["sources_read"] == sources
    nothing_was_done = replace(made, tables=())
    assert [line for line in outcome_lines(nothing_was_done, TARGET) if line[0] == "read"] == []


def test_what_is_dropped_is_said(shop: Workshop) -> None:
    plan = replace(shop.plan("model_sales", "int_paid_orders"), reasons={}, unchanged=())
    assert plan.publication
    dropped = replace(plan, publication=replace(plan.publication, drops=("old_sales",)))
    assert [*reason_lines(plan)] == []
    assert [*reason_lines(dropped)] == [("drop", "old_sales: no longer a mart to publish")]


def test_a_plan_as_data(shop: Workshop) -> None:
    found = plan_document(shop.plan("+model_sales"))
    assert found["as_of"] == "2025-06-30"
    assert isinstance(found["steps"], list)
    first, checks, *_, alone, last = found["steps"]
    assert first == {"step": "build", "table": "int_paid_orders", "kind": "view"}
    assert (checks["step"], checks["table"]) == ("check", "int_paid_orders")
    assert "order_id_unique" in checks["checks"]
    assert alone == {"step": "check", "table": "model_sales", "checks": ["some_revenue"]}
    marts = ["int_paid_orders", "model_sales"]
    assert last == {"step": "publish", "marts": marts, "drops": []}
    assert found["warnings"] == []


@pytest.mark.parametrize(
    ("checks", "word"),
    [
        ([check("error", 0)], "ok"),
        ([check("error", 0), check("warn", 2)], "warn"),
        ([check("warn", 2), check("error", 1)], "FAIL"),
    ],
)
def test_a_tables_line(checks: list[CheckReport], word: str) -> None:
    found, text = table_line(report("published", *checks).tables[0])
    assert found == word
    assert text.split() == [
        "customer_totals",
        "1,234",
        "rows",
        *(["1", "check"] if len(checks) == 1 else [str(len(checks)), "checks"]),
        "0.75",
        "s",
    ]


def test_a_table_that_is_not_checked_has_no_row_count() -> None:
    assert table_line(TableReport(TOTALS))[1].split() == ["customer_totals", "0.00", "s"]


@pytest.mark.parametrize(
    ("told", "lines"),
    [
        (
            report("published", check("error", 0)),
            [("done", "published 1 mart; 1 of 1 check passed, in 1.50 s")],
        ),
        (
            report("checked", check("error", 0), sql=None),
            [("done", "no check failed; 1 of 1 check passed, in 1.50 s")],
        ),
        (
            report("published", check("warn", 1, 1)),
            [
                ("warn", f"customer_totals.odd_warn: 1 violation → {SAMPLE}"),
                ("done", "published 1 mart; 0 of 1 check passed, in 1.50 s"),
            ],
        ),
        (
            report("failed", check("error", 12345)),
            [
                ("FAIL", "customer_totals.odd_error: 12,345 violations"),
                ("stop", f"{UNCHANGED}; 0 of 1 check passed, in 1.50 s"),
            ],
        ),
        (
            report("failed", check("error", 1), sql=None),
            [
                ("FAIL", "customer_totals.odd_error: 1 violation"),
                ("stop", "0 of 1 check passed, in 1.50 s"),
            ],
        ),
        (
            report("interrupted"),
            [
                ("stop", f"interrupted: {UNCHANGED}"),
            ],
        ),
        (
            replace(report("error"), error=EngineError("no")),
            [("stop", f"error: {UNCHANGED}")],
        ),
        (report("partly_published"), [("stop", "partly published: run again")]),
        (
            replace(report("published"), skipped=(SkippedCheck("a", "a_in_b", ("b", "c")),)),
            [
                ("skip", "a.a_in_b: b, c are absent or not up to date"),
                ("done", "published 1 mart; 0 of 0 checks passed, in 1.50 s"),
            ],
        ),
        (
            replace(report("checked"), skipped=(SkippedCheck("a", "twice", exempt="it shrinks"),)),
            [
                ("skip", "a.twice: exempt: it shrinks"),
                ("done", "no check failed; 0 of 0 checks passed, 1 exempt, in 1.50 s"),
            ],
        ),
    ],
    ids=lambda value: value.status if isinstance(value, Report) else "",
)
def test_how_a_run_ended(told: Report, lines: list[tuple[str, str]]) -> None:
    assert list(outcome_lines(told, TARGET)) == lines


STALE = Stale(Equivalent("totals", "label", "'a'", "'a?'", "why not"), "there is no such mutant")
FINE = MutationReport(MutationRun(TOTALS, (), 1.5), (), (), ())


def test_a_mart_whose_mutants_are_noticed() -> None:
    word, text = report_line(FINE)
    assert (word, text.split()) == (
        "ok",
        ["customer_totals", "0", "mutants", "0", "killed", "0", "allowed", "1.50", "s"],
    )
    assert summary_line([FINE, FINE], []) == (
        "done",
        "each of 0 mutants is killed or allowed, in 3.00 s",
    )


def test_an_entry_that_is_stale() -> None:
    stale = replace(FINE, stale=(STALE,))
    assert report_line(stale)[0] == "FAIL"
    named = "totals, label: 'a' → 'a?'"
    assert stale_line(STALE) == (
        "FAIL",
        f"list of allowed mutants: {named}\n      there is no such mutant; remove the entry",
    )
    one, two = "1 entry of the list is stale", "2 entries of the list are stale"
    assert summary_line([stale], []) == ("stop", f"{one}, in 1.50 s")
    assert summary_line([stale], [STALE]) == ("stop", f"{two}, in 1.50 s")
