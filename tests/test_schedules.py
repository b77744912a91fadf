"""The script that `marts deploy` sends: golden text, and what is refused before it is sent.

Regenerate with `pytest tests/test_schedules.py --update-sql`, then read `git diff tests/schedules`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ibis.expr.types as ir
import pytest

from backends.factory import schedule_script
from marts import date, int64, mart, source, string
from marts.core.analysis.reliance_errors import relied_on
from marts.core.authoring.expressions import AsOf
from marts.core.authoring.tables import Mart
from marts.core.errors import DefinitionError, UsageError
from marts.core.operations.deploy import Wanted, refuse_other_engine, schedules_of, timing_of
from marts.core.operations.wiring import contracts_of
from marts.core.plan.dated import DAYS
from marts.core.plan.schedule import Schedule
from marts.core.plan.state import declared_state
from marts.core.project.graph import Graph
from marts.core.project.settings import Settings
from support import grammar
from support.engines import GRAPH
from support.paths import TESTS
from support.processes import call_marts
from support.scheduled import Script, part
from support.workshop import SHOP, project_of

SETTINGS = Settings(backend="snowflake", database="DB1", schema="GOLD", source_schema="RAW")
NIGHTLY = Wanted(cron="0 3 * * *", timezone="America/New_York", warehouse="WH")
GOLDEN = TESTS / "schedules/toy_shop.sql"
HOW = "regenerate: pytest tests/test_schedules.py --update-sql; then read: git diff tests/schedules"


def schedules(graph: Graph, names: tuple[str, ...] | None = None) -> list[Schedule]:
    state = declared_state(graph.project, sources=graph.project.sources)
    return list(schedules_of(graph, names or graph.order, relied_on(graph), state))


def script(graph: Graph, wanted: Wanted = NIGHTLY) -> str:
    return schedule_script(
        SETTINGS, schedules(graph), timing_of(wanted), sources=contracts_of(graph), version="0"
    )


def test_the_script_is_the_golden_one(request: pytest.FixtureRequest) -> None:
    found = script(SHOP)
    if request.config.getoption("--update-sql"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(found, "utf-8")
    assert found == GOLDEN.read_text("utf-8"), HOW


@pytest.mark.parametrize("graph", [SHOP, GRAPH], ids=["toy_shop", "marts"])
def test_snowflakes_grammar_has_every_statement(graph: Graph) -> None:
    found = Script(script(graph, Wanted(cron="0 3 * * *", serverless="XSMALL")))
    grammar.check(found.statements)
    # To the grammar, a procedure is a text.
    bodies = (body for _, body in found.procedures.values())
    grammar.check(body[body.index("BEGIN\n") :].removesuffix(";") for body in bodies)


def test_each_mart_is_built_after_what_it_reads_and_published_after_all() -> None:
    graph = Script(script(SHOP)).graph
    assert {part(task): [*map(part, after)] for task, (after, _) in graph.items()} == {
        "BEGIN": [],
        "SOURCES": ["BEGIN"],
        "BUILD_INT_PAID_ORDERS": ["SOURCES"],
        "BUILD_CUSTOMER_TOTALS": ["BUILD_INT_PAID_ORDERS"],
        "BUILD_MODEL_SALES": ["BUILD_INT_PAID_ORDERS"],
        "BUILD_SHOP_OVERVIEW": ["BUILD_CUSTOMER_TOTALS", "BUILD_MODEL_SALES"],
        "PUBLISH": ["BUILD_SHOP_OVERVIEW"],
        "FINISH": [],
    }


VISITS = source(
    "visits", doc="", grain="visit_id", columns=[string("visit_id"), date("visited_on")]
)


def counted(condition: Callable[[ir.Table, AsOf], object]) -> Mart:
    def visit_count(visits: ir.Table, as_of: AsOf) -> ir.Table:
        """Visits on a day."""
        rows = visits.filter(condition(visits, as_of))
        return rows.group_by("visited_on").aggregate(visits=rows.count())

    return mart(grain="visited_on", columns=[date("visited_on"), int64("visits")])(visit_count)


@pytest.mark.parametrize(
    "condition",
    [
        lambda t, as_of: t.visited_on >= as_of.day.replace(day=1),
        lambda t, as_of: t.visited_on.year() == as_of.day.year,
        lambda t, as_of: t.visited_on.day() > (5 if as_of.day.weekday() < 3 else 6),
        lambda t, as_of: t.visited_on.year() == as_of.date.op().args[0].year,
    ],
    ids=["first of the month", "year", "weekday", "a literal's value"],
)
def test_a_mart_that_takes_the_date_apart_in_python_is_refused(
    condition: Callable[[ir.Table, AsOf], object],
) -> None:
    graph = project_of(VISITS, counted(condition))
    with pytest.raises(DefinitionError, match=r"use as_of\.date, as_of\.minus") as raised:
        schedules(graph)
    assert "test_schedules.py:" in str(raised.value)


def test_a_date_that_is_the_same_on_all_days_stays() -> None:
    opened = DAYS[0]
    graph = project_of(
        VISITS,
        counted(lambda t, as_of: (t.visited_on >= opened) & (t.visited_on <= as_of.minus(days=30))),
    )
    text = script(graph)
    assert f"DATE_FROM_PARTS({opened.year}, {opened.month}, {opened.day})" in text
    assert "DATEADD(DAY, -30, :AS_OF)" in text


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted(warehouse="WH"), "no schedule is given"),
        (Wanted(cron="3 o'clock", warehouse="WH"), "is not a cron expression"),
        (Wanted(cron="0 25 * * *", warehouse="WH"), "the hour is 25, expected 0-23"),
        (Wanted(cron="0 3 32 * *", warehouse="WH"), "the day of month is 32"),
        (Wanted(cron="0 3 0 * *", warehouse="WH"), "the day of month is 0"),
        (Wanted(cron="0 3 * * MONDAY", warehouse="WH"), "the day of week is MONDAY"),
        (Wanted(cron="*/0 3 * * *", warehouse="WH"), r"the minute is \*/0"),
        (Wanted(cron="0 1,,2 * * *", warehouse="WH"), "the hour is empty"),
        (Wanted(cron="0 L * * *", warehouse="WH"), "the hour is L"),
        (Wanted(cron="0 3 * * *", timezone="New York", warehouse="WH"), "no such time zone"),
        (Wanted(cron="0 3 * * *"), "no warehouse is named"),
    ],
)
def test_a_wrong_schedule_is_refused(wanted: Wanted, said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        timing_of(wanted)
    assert raised.value.hint


@pytest.mark.parametrize(
    "cron",
    ["*/15 0-6,22 L jan-mar MON-fri", "59 23 1,31 12 5L", "0 3 * 4/3 0", "5/10 3 * * L"],
)
def test_whatever_snowflake_reads_as_cron_is_taken(cron: str) -> None:
    assert timing_of(Wanted(cron=f" {cron}  ", warehouse="WH")).cron == cron


def test_a_mart_that_reads_one_which_is_not_built_is_refused() -> None:
    with pytest.raises(UsageError, match="scheduled marts read int_paid_orders"):
        schedules(SHOP, ("customer_totals",))


@pytest.mark.parametrize(("length", "fits"), [(200, True), (246, False)])
def test_a_name_that_is_too_long_for_a_task_is_refused(length: int, *, fits: bool) -> None:
    def visits_of_a_day(visits: ir.Table) -> ir.Table:
        """It's all $$ of them."""
        return visits.select("visit_id")

    visits_of_a_day.__name__ = "m" * length
    graph = project_of(
        VISITS, mart(grain="visit_id", columns=[string("visit_id")])(visits_of_a_day)
    )
    if fits:
        grammar.check(Script(script(graph)).statements)
        return
    with pytest.raises(UsageError, match="longer than 255 characters"):
        script(graph)


def test_a_dry_run_says_that_it_looks_up_no_proof(tmp_path: Path) -> None:
    words = ("deploy", "--backend", "snowflake", "--dry-run", "--schedule", "0 3 * * *")
    done = call_marts(*words, "--warehouse", "WH", "--require-proof", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the proofs are not looked up" in done.stderr
    assert "the proofs are not looked up" not in done.stdout


def test_only_snowflake_has_tasks() -> None:
    with pytest.raises(UsageError, match="the engine is duckdb"):
        refuse_other_engine(Settings())
