"""Where toy projects are built: the bicycle shop's rows, Parquet files, and a DuckDB database."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from backends.duckdb import DuckDBBackend
from backends.duckdb_connection import DuckDBOptions
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart, Source
from marts.core.console.messages import table_of
from marts.core.operations.wiring import contracts_of
from marts.core.plan.planner import plan_checks, plan_run
from marts.core.plan.steps import Plan, Step
from marts.core.project.graph import Graph, link
from marts.core.project.loading import Declarations, load
from marts.core.project.selection import select
from marts.core.query.contract import schema_of
from marts.core.run.inspection import inspect_engine
from marts.core.run.report import CheckReport, Report, TableReport
from marts.core.run.runner import run

Row = Mapping[str, object]

AS_OF = datetime.date(2025, 6, 30)
SHOP = link(load("toy_shop"))


def customer(customer_id: str, **changes: object) -> Row:
    """Return an active customer since 2024."""
    row = {
        "customer_id": customer_id,
        "name": f"Customer {customer_id}",
        "city": "Köln",
        "joined_on": datetime.date(2024, 1, 5),
        "active": True,
    }
    return row | changes


def order(order_id: str, customer_id: str, amount: str, **changes: object) -> Row:
    """Return a paid order of a gravel bike in February 2025."""
    row = {
        "order_id": order_id,
        "customer_id": customer_id,
        "ordered_at": datetime.datetime(2025, 2, 3, 12, 30),  # noqa: DTZ001  (no zone, by contract)
        "model": "gravel",
        "amount": Decimal(amount),
        "status": "paid",
    }
    return row | changes


CUSTOMERS = (
    customer("c1"),
    customer("c2", city=None),
    customer("c3"),
    customer("gone", active=False),
)
ORDERS = (
    order("o1", "c1", "1200.00"),
    order("o2", "c1", "80.55"),
    order("o3", "c2", "45.25", model=None),
    order("o4", "c2", "700.00", status="cancelled"),
    order("late", "c1", "9.99", ordered_at=datetime.datetime(2025, 7, 1)),  # noqa: DTZ001
)


def project_of(*tables: Source | Mart) -> Graph:
    """Return the linked project of some declarations."""
    return link(
        Declarations(
            "toy",
            {table.name: table for table in tables if isinstance(table, Source)},
            {table.name: table for table in tables if isinstance(table, Mart)},
        )
    )


@dataclass
class Observed:
    """An observer that records its notifications: `started x`, `finished x`."""

    told: list[str] = field(default_factory=list)

    def started(self, step: Step) -> None:
        """Remember that a step began."""
        self.told.append(f"started {table_of(step)}")

    def finished(self, step: Step, table: TableReport) -> None:
        """Remember that a step is done."""
        assert table.table.name == table_of(step)
        self.told.append(f"finished {table_of(step)}")

    def publishing(self) -> None:
        """Remember that publishing began."""
        self.told.append("publishing")


@dataclass
class Counting:
    """A backend that counts the queries it passes on, by the table they are about."""

    inner: DuckDBBackend
    queries: list[str] = field(default_factory=list)

    def fetch(self, query: Any, *, about: str) -> list[dict[str, Any]]:
        """Count a query, and pass it on."""
        self.queries.append(about)
        return self.inner.fetch(query, about=about)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@dataclass(frozen=True)
class Workshop:
    """A folder with Parquet files and a database, for one project."""

    folder: Path
    graph: Graph

    @property
    def data(self) -> Path:
        """The folder of the Parquet files."""
        return self.folder / "data"

    @property
    def database(self) -> Path:
        """The database file."""
        return self.folder / "marts.duckdb"

    def write(self, **tables: Iterable[Row] | pa.Table) -> None:
        """Write sources as Parquet, rows with the types of their contracts."""
        self.data.mkdir(exist_ok=True)
        for name, rows in tables.items():
            if not isinstance(rows, pa.Table):
                schema = schema_of(self.graph.project.sources[name].columns).to_pyarrow()
                rows = pa.Table.from_pylist(list(rows), schema)  # noqa: PLW2901
            pq.write_table(rows, self.data / f"{name}.parquet")

    @contextmanager
    def backend(self, *, read_only: bool = False) -> Iterator[DuckDBBackend]:
        """Open the database."""
        options = DuckDBOptions(database=self.database, data=self.data, schema="gold", threads=2)
        sources = contracts_of(self.graph)
        backend = DuckDBBackend(options, sources=sources, read_only=read_only)
        try:
            yield backend
        finally:
            backend.close()

    def plan(
        self, *selectors: str, as_of: datetime.date = AS_OF, source_checks: bool = False
    ) -> Plan:
        """Plan a run on what is there."""
        chosen = select(self.graph, selectors)
        with self.backend() as backend:
            state = inspect_engine(self.graph, chosen, backend, source_checks=source_checks)
        return plan_run(self.graph, chosen, state, FixedAsOf(as_of), source_checks=source_checks)

    def run(
        self,
        *selectors: str,
        as_of: datetime.date = AS_OF,
        source_checks: bool = False,
        through: Callable[[DuckDBBackend], Any] = lambda backend: backend,
    ) -> Report:
        """Build, check and publish; `through` may put something between runner and engine."""
        plan = self.plan(*selectors, as_of=as_of, source_checks=source_checks)
        with self.backend() as backend:
            return run(plan, through(backend), run_id="run", observer=Observed())

    def check(
        self,
        *selected: str,
        source_checks: bool = False,
        through: Callable[[DuckDBBackend], Any] = lambda backend: backend,
    ) -> Report:
        """Check what is published, or the sources."""
        with self.backend(read_only=True) as backend:
            state = inspect_engine(self.graph, selected, backend, source_checks=source_checks)
            plan = plan_checks(
                self.graph, selected, state, FixedAsOf(AS_OF), source_checks=source_checks
            )
            return run(plan, through(backend), run_id="check", observer=Observed())

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the database as a reader would."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def published(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return all rows of every published mart, as a reader sees them."""
        with duckdb.connect(str(self.database), read_only=True) as reader:
            tables = reader.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'gold'"
                " AND table_name NOT IN ('marts_state', 'marts_runs') ORDER BY 1"
            ).fetchall()
            return {
                name: reader.execute(f'SELECT * FROM gold."{name}" ORDER BY ALL').fetchall()
                for (name,) in tables
            }


def shop_in(folder: Path) -> Workshop:
    """Return the bicycle shop with its usual rows, nothing built."""
    shop = Workshop(folder, SHOP)
    shop.write(customers=CUSTOMERS, orders=ORDERS)
    return shop


def checks_by_name(report: Report, table: str) -> dict[str, CheckReport]:
    """Return the checks that were made of a table."""
    assert report.error is None, report.error
    return {
        made.check.name: made
        for each in report.tables
        if each.table.name == table
        for made in each.checks
    }
