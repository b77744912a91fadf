"""A toy project of orders and shops, and runs of it with the checks that are derived from marts."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
from ibis.expr.types import Table

from marts import int64, mart, row_check, source, string
from marts.core.analysis.reliance_errors import relied_on
from marts.core.authoring.expressions import FixedAsOf
from marts.core.console.messages import outcome_lines
from marts.core.plan.planner import plan_run
from marts.core.plan.source_checks import SourceCheckOptions, source_checks
from marts.core.plan.state import CheckedSource, EngineState
from marts.core.plan.steps import Plan
from marts.core.project.graph import Graph
from marts.core.run.inspection import inspect_engine
from marts.core.run.remembering import checked_sources
from marts.core.run.report import CheckReport, Report
from marts.core.run.runner import run
from support.workshop import AS_OF, Observed, Row, Workshop, project_of

ORDERS = source(
    "orders",
    doc="Orders.",
    grain="order_id",
    columns=[
        int64("order_id"),
        string("shop", null=True),
        string("status", values=["paid", "cancelled"]),
        string("channel", null=True),
        int64("pieces", at_least=0),
        string("unread", unique=True),
    ],
    checks=[
        row_check("few_pieces", offending=lambda t: t.pieces > 9, severity="warn"),
        row_check("unread_short", offending=lambda t: t.unread.length() > 1),
    ],
)
SHOPS = source(
    "shops", doc="Shops.", grain="shop", columns=[string("shop"), string("town", null=True)]
)


@mart(grain="order_id", columns=[int64("order_id"), string("shop", null=True), int64("pieces")])
def int_paid(orders: Table) -> Table:
    """Paid orders from the web."""
    return orders.filter(orders.status == "paid", orders.channel.isin(["web", "Ärger"]))


@mart(grain="order_id", columns=[int64("order_id"), string("town", null=True)])
def towns(int_paid: Table, shops: Table) -> Table:
    """The town of each order."""
    return int_paid.left_join(shops, "shop")


def order(number: int, **changes: object) -> Row:
    row = {
        "order_id": number,
        "shop": "north",
        "status": "paid",
        "channel": "web",
        "pieces": 1,
        "unread": "x",
    }
    return row | changes


def orders(*changes: Mapping[str, object], least: int = 4) -> list[Row]:
    """Return paid orders, the first of them changed."""
    count = max(len(changes), least)
    return [order(n, **(changes[n] if n < len(changes) else {})) for n in range(count)]


SHOP_ROWS = [{"shop": "north", "town": "Kiel"}, {"shop": "south", "town": None}]
ALL = project_of(ORDERS, SHOPS, int_paid, towns)


@dataclass(frozen=True)
class Made:
    """A run with the checks that were derived for it."""

    plan: Plan
    report: Report
    facts: EngineState

    @property
    def checks(self) -> dict[str, CheckReport]:
        """All checks that were made, by table and name."""
        return {
            f"{table.table.name}.{made.check.name}": made
            for table in self.report.tables
            for made in table.checks
        }

    @property
    def found(self) -> dict[str, tuple[str, int]]:
        """What did not pass: how it counts, and how often."""
        return {
            name: (made.outcome, made.violations)
            for name, made in self.checks.items()
            if made.outcome != "pass"
        }

    @property
    def said(self) -> str:
        """What a user reads of it."""
        assert self.report.error is None, self.report.error
        return "\n".join(text for _, text in outcome_lines(self.report, Path("target")))

    @property
    def recorded(self) -> dict[str, CheckedSource]:
        """What is to be remembered of the sources."""
        tables = {table.table.name: table for table in self.report.tables}
        return checked_sources(self.plan, tables)


def made(
    folder: Path,
    graph: Graph = ALL,
    *,
    checked: Mapping[str, CheckedSource] | None = None,
    wanted: SourceCheckOptions = SourceCheckOptions(),  # noqa: B008  (frozen)
    selected: Sequence[str] = (),
    as_of: datetime.date = AS_OF,
    **tables: Sequence[Row] | pa.Table,
) -> Made:
    """Run with all that a run derives, on these tables."""
    folder.mkdir(exist_ok=True)
    workshop = Workshop(folder, graph)
    if tables:
        workshop.write(**({"shops": SHOP_ROWS} | tables))
    names = tuple(selected) or graph.order
    reliance = relied_on(graph)
    with workshop.backend() as backend:
        found = inspect_engine(graph, names, backend, also=reliance.columns_of_sources(names))
        facts = replace(found, checked=dict(checked or {}), held={})
        derived = source_checks(graph, reliance, facts, wanted, names)
        plan = plan_run(graph, names, facts, FixedAsOf(as_of), source_checks=derived)
        return Made(plan, run(plan, backend, run_id="run", observer=Observed()), facts)
