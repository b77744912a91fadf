"""Sources as they are: CSV, DuckDB files, other names and places, from the command line."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path
from textwrap import dedent

import duckdb
import ibis
import pyarrow.parquet as pq
import pytest

from backends.load_conversion import loadable
from marts.core.run.backend import Contract
from support.processes import Marts, Result

DONE, FAILED, ASKED_WRONGLY = 0, 1, 2
PACKAGE = {
    "sources": """
        '''The shop's.'''
        from marts import decimal, int64, source, string, timestamp

        orders = source(
            "orders",
            source_name="Order Details",
            doc="Orders.",
            grain="order_id",
            columns=[
                int64("order_id", source_name="OrderID"),
                string("customer_id", source_name="Kunden-Nr."),
                decimal("amount", 10, 2, at_least=0, source_name="Betrag (€)"),
                timestamp("ordered_at", source_name="1st seen", zone="UTC"),
            ],
        )
        customers = source(
            "customers", doc="Customers.", grain="customer_id", columns=[string("customer_id")]
        )
    """,
    "totals": """
        '''Totals.'''
        from marts import Table, mart, money, string

        @mart(grain="customer_id", columns=[string("customer_id"), money("spend", default=0)])
        def totals(customers: Table, orders: Table) -> Table:
            '''What each customer has spent.'''
            spend = orders.group_by("customer_id").aggregate(spend=orders.amount.sum())
            return customers.left_join(spend, "customer_id")
    """,
}
ORDERS = """\
OrderID;Kunden-Nr.;Betrag (€);1st seen;note
1;a;10.50;2025-01-01T10:00:00Z;"two
lines"
2;a;1;2025-01-01T10:00:00+01:00;
3;b;2.5;2025-01-01T10:00:00+01:00;
"""
CUSTOMERS = "customer_id\na\nb\nc\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return the folder of a project whose data are CSV files."""
    for module, text in {"__init__": "", **PACKAGE}.items():
        (tmp_path / "csv_shop").mkdir(exist_ok=True)
        (tmp_path / f"csv_shop/{module}.py").write_text(dedent(text).lstrip(), "utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/Order Details.csv").write_text(ORDERS, "utf-8")
    (tmp_path / "data/customers.csv").write_text(CUSTOMERS, "utf-8")
    settings(tmp_path, data="data")
    return tmp_path


def settings(folder: Path, *, data: str | None = None, **sources: str) -> None:
    lines = [
        "[tool.marts]",
        'package = "csv_shop"',
        *([f"data = {json.dumps(data)}"] if data else []),
    ]
    lines += ["[tool.marts.sources]"] if sources else []
    lines += [f"{name} = {json.dumps(at)}" for name, at in sources.items()]
    (folder / "pyproject.toml").write_text("\n".join(lines), "utf-8")


def database(folder: Path) -> None:
    """Write the data as tables of a DuckDB file, too."""
    with duckdb.connect(str(folder / "crm.duckdb")) as connection:
        connection.execute("CREATE SCHEMA erp")
        types = "{'Betrag (€)': 'DECIMAL(10, 2)', '1st seen': 'TIMESTAMPTZ'}"
        read = f"read_csv('{folder}/data/Order Details.csv', types = {types})"
        connection.execute(f'CREATE TABLE erp."Order Details" AS FROM {read}')
        connection.execute(f"CREATE VIEW customers AS FROM '{folder}/data/customers.csv'")


PLACES: dict[str, dict[str, str]] = {
    "a folder of CSV": {"data": "data"},
    "tables": {"data": "crm.duckdb", "orders": 'crm.duckdb:erp."Order Details"'},
    "both": {"data": "data", "customers": "crm.duckdb:main.customers"},
    "locations alone": {"orders": "data/Order Details.csv", "customers": "data/customers.csv"},
}


def ran(called: Marts) -> Result:
    done = called("run", MARTS_PACKAGE="")
    assert done.returncode == DONE, done.stdout + done.stderr
    return done


@pytest.mark.parametrize("place", PLACES)
def test_the_numbers_are_the_same_wherever_the_sources_are(
    place: str, shop: Path, called: Marts
) -> None:
    database(shop)
    settings(shop, **PLACES[place])
    assert "published 1 mart" in ran(called).stdout
    assert "totals: unchanged" in ran(called).stdout
    shown = called("show", "totals", "--format", "csv", MARTS_PACKAGE="")
    assert shown.stdout.splitlines() == ["customer_id,spend", "a,11.50", "b,2.50", "c,0.00"]
    found = json.loads(called("doctor", "--json", MARTS_PACKAGE="").stdout)["diagnoses"]
    assert {each["verdict"] for each in found} <= {"ok", "skip"}, found


def test_what_is_wrong_is_said_with_the_place(shop: Path, called: Marts) -> None:
    text = ORDERS.replace("2.5;", "2.505;")
    (shop / "data/Order Details.csv").write_text(text, "utf-8")
    done = called("run", MARTS_PACKAGE="")
    assert done.returncode == ASKED_WRONGLY
    expected = (
        "source orders, column amount, Betrag (€) in the source: expected decimal(10, 2), found"
    )
    assert expected in done.stderr
    assert f"such as 2.505 on line 5 of {shop}/data/Order Details.csv" in done.stderr
    (shop / "data/Order Details.csv").write_text(ORDERS.replace("Betrag (€)", "Betrag"), "utf-8")
    done = called("run", MARTS_PACKAGE="")
    assert (
        "column amount, Betrag (€) in the source: expected decimal(10, 2), found no" in done.stderr
    )
    (shop / "data/Order Details.csv").write_text(ORDERS.replace("3;b;2.5", "3;b;-2.5"), "utf-8")
    done = called("run", MARTS_PACKAGE="")
    assert done.returncode == FAILED
    (samples,) = (shop / "target/failures").iterdir()
    assert "-2.50" in samples.read_text("utf-8")


def test_settings_that_do_not_fit_are_refused(shop: Path, called: Marts) -> None:
    settings(shop, data="data", custommers="data/customers.csv")
    done = called("run", MARTS_PACKAGE="")
    assert done.returncode == ASKED_WRONGLY
    assert "has custommers, which is not a source of csv_shop\nhint: did you mean customers?" in (
        done.stderr
    )
    settings(shop, customers="data/customers.csv")
    done = called("run", MARTS_PACKAGE="")
    assert done.returncode == ASKED_WRONGLY
    assert "no data are named for csv_shop\n  sources without a location: orders" in done.stderr
    # An option has all data, so that no location of the file counts.
    done = called("run", "--data", "data", MARTS_PACKAGE="")
    assert done.returncode == DONE, done.stderr
    compiled = called("compile", MARTS_PACKAGE="").stdout
    assert "FROM READ_CSV(" in compiled
    assert f"'{shop}/data/customers.csv'" in compiled


def test_data_that_are_not_parquet_are_loaded_as_they_are_declared(shop: Path) -> None:
    types = {"order_id": "int64", "amount": "decimal(10, 2)", "at": "timestamp", "utc": "timestamp"}
    names = {"order_id": "OrderID", "amount": "Betrag (€)", "at": "1st seen", "utc": "1st seen"}
    zones = {"at": "Europe/Berlin", "utc": "UTC"}
    contracts = {
        "orders": Contract(ibis.schema(types), zones, names=names, source_name="Order Details"),
        "customers": Contract(ibis.schema({"customer_id": "string"})),
    }
    (shop / "data/customers.csv").unlink()
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT 'a' AS customer_id, 1 AS more) TO '{shop}/data/customers.parquet'"
        )
    with loadable(shop / "data", lambda: contracts) as folder:
        assert sorted(each.name for each in folder.iterdir()) == [
            "Order Details.parquet",
            "customers.parquet",
        ]
        assert pq.read_table(folder / "customers.parquet").column_names == ["customer_id", "more"]
        first = pq.read_table(folder / "Order Details.parquet").to_pylist()[0]
    moment = datetime.datetime(2025, 1, 1, 10, tzinfo=datetime.UTC)
    assert first == {"OrderID": 1, "Betrag (€)": Decimal("10.50"), "1st seen": moment}
