"""Sources as they are found on Snowflake: other spellings, wider types, zones; what is refused."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import ibis
import pytest

from backends.snowflake import SnowflakeBackend
from backends.snowflake_connection import SnowflakeOptions
from marts.core.errors import SourceError
from marts.core.plan.state import TableState
from marts.core.run.backend import Contract
from support.account import Account
from support.processes import Result

DONE, ASKED_WRONGLY = 0, 2
D = Decimal


def at(hour: int = 0, minute: int = 0, second: int = 0, micro: int = 0) -> datetime.datetime:
    """Return a time of the day on which Berlin leaves an hour out."""
    return datetime.datetime(2025, 3, 30, hour, minute, second, micro)  # noqa: DTZ001


@pytest.fixture
def own_schema(own_schema: str) -> str:
    """Return a name for a schema of this test's own, in which not all is upper-case."""
    return f"SPELLED_{own_schema[-44:]}"


class Table:
    """The only column of a source `s`, which a test creates, and its backend."""

    def __init__(self, account: Account, schema: str, kind: str, **zones: str) -> None:
        self.account, self.schema = account, account.schema(schema)
        self.location = f'"{account.database}"."{self.schema}"."s"'
        self.contract = Contract(ibis.schema({"a": kind}), zones)
        account.rows(f'CREATE SCHEMA IF NOT EXISTS "{account.database}"."{self.schema}"')
        options = SnowflakeOptions(
            database=account.database, schema="gold", source_schema=self.schema
        )
        self.backend = SnowflakeBackend(options, sources={"s": self.contract})

    def create(self, kind: str, values: Sequence[str]) -> None:
        """Create the table, with a name and a column in lower case."""
        rows = " UNION ALL ".join(f"SELECT CAST({value} AS {kind})" for value in values)
        self.account.rows(f'CREATE OR REPLACE TABLE {self.location} ("a" {kind})')
        self.account.rows(f"INSERT INTO {self.location} {rows}")

    def describe(self) -> TableState:
        """Describe the source."""
        return self.backend.describe_sources(["s"])["s"]

    def values(self) -> list[object]:
        """Return what a query reads, in order."""
        query = ibis.table(self.contract.schema, name="s")
        return [row["a"] for row in self.backend.fetch(query.order_by("a"), about="s")]


Make = Callable[..., Table]


@pytest.fixture
def make(account: Account, own_schema: str, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return what makes a source; in the session that the tests have."""
    monkeypatch.setattr("backends.snowflake_statements.connect", lambda _: account.session)
    return lambda kind, **zones: Table(account, own_schema, kind, **zones)


READ = [
    # on Snowflake, values there, in the contract, values as they are read
    ("NUMBER(38,0)", ["7", "NULL"], "int64", [7, None]),
    ("NUMBER(38,0)", [f"{2**63 - 1}"], "int64", [2**63 - 1]),
    ("NUMBER(38,0)", [f"-{2**63}"], "int64", [-(2**63)]),
    ("NUMBER(5,0)", ["-3"], "int64", [-3]),
    ("NUMBER(38,2)", ["7.00"], "int64", [7]),
    ("NUMBER(38,2)", ["1.25", "NULL"], "decimal(10, 2)", [D("1.25"), None]),
    ("NUMBER(38,4)", ["1.2500"], "decimal(10, 2)", [D("1.25")]),
    ("NUMBER(4,1)", ["1.5"], "decimal(10, 2)", [D("1.50")]),
    ("NUMBER(30,2)", ["-99999999.99"], "decimal(10, 2)", [D("-99999999.99")]),
    ("NUMBER(38,0)", ["12"], "decimal(10, 2)", [D("12.00")]),
    ("NUMBER(38,0)", [f"{2**53}"], "float64", [2.0**53]),
    ("DOUBLE", ["1.5", "NULL"], "float64", [1.5, None]),
    ("DATE", ["'2025-03-30'"], "timestamp", [at()]),
    ("TIMESTAMP_NTZ", ["'2025-03-30 00:00:00'"], "date", [at().date()]),
    ("TIMESTAMP_NTZ", ["'2025-03-30 03:30:00.000001'"], "timestamp", [at(3, 30, 0, 1)]),
    ("VARCHAR", ["'x'", "NULL"], "string", ["x", None]),
    ("BOOLEAN", ["TRUE", "NULL"], "boolean", [True, None]),
]


@pytest.mark.parametrize(("kind", "there", "expected", "values"), READ)
def test_a_type_is_read_where_every_value_fits(
    kind: str, there: list[str], expected: str, values: list[object], make: Make
) -> None:
    table = make(expected)
    table.create(kind, there)
    found = table.describe()
    assert found.misfits == ()
    assert found.types == table.contract.schema
    assert table.values() == values


DO_NOT_FIT = [
    # The emulator has NUMBER(38, 0) as a BIGINT.
    ("NUMBER(37,0)", [f"{2**63}", f"-{2**63 + 1}", "1"], "int64", 2, f"-{2**63 + 1}"),
    ("NUMBER(37,0)", ["9" * 37], "int64", 1, "9" * 37),
    ("NUMBER(38,1)", ["7.5", "8"], "int64", 1, "7.5"),
    ("NUMBER(38,3)", ["1.255", "1.250"], "decimal(10, 2)", 1, "1.255"),
    ("NUMBER(38,2)", ["100000000"], "decimal(10, 2)", 1, "100000000.00"),
    ("NUMBER(38,0)", ["100000000", "-100000000"], "decimal(10, 2)", 2, "-100000000"),
    ("NUMBER(11,3)", ["99999999.999"], "decimal(10, 2)", 1, "99999999.999"),
    ("NUMBER(38,0)", [f"{2**53 + 1}", "1", "NULL"], "float64", 1, f"{2**53 + 1}"),
    ("TIMESTAMP_NTZ", ["'2025-03-30 01:00:00'"], "date", 1, "2025-03-30 01:00:00"),
]


@pytest.mark.parametrize(("kind", "there", "expected", "count", "example"), DO_NOT_FIT)
def test_values_that_do_not_fit_are_counted_and_one_is_named(
    kind: str, there: list[str], expected: str, count: int, example: str, make: Make
) -> None:
    table = make(expected)
    table.create(kind, there)
    (line,) = table.describe().misfits
    values = "1 value that does" if count == 1 else f"{count} values that do"
    assert line.startswith(f"column a: expected {expected}, found ")
    assert line.endswith(f" with {values} not fit, such as {example}")
    looks = [each for each in table.backend.statements() if each.step == "source"]
    assert [each.about for each in looks] == ["s"]


def test_moments_are_read_in_their_zone(make: Make) -> None:
    table = make("timestamp", a="Europe/Berlin")
    table.create("TIMESTAMP_TZ", ["'2025-03-30 00:59:59 +00:00'", "'2025-03-30 01:00:00 +00:00'"])
    assert table.describe().misfits == ()
    assert table.values() == [at(1, 59, 59), at(3)]


# A run of the shop's marts


@pytest.fixture
def shop(account: Account, own_schema: str) -> str:
    """Return a schema with the shop's tables, spelled and typed as nobody asked for."""
    location = f'"{account.database}"."{account.schema(own_schema)}"'
    customers = {
        '"customer_id"': "CAST('c1' AS VARCHAR)",
        '"Name"': "CAST('One' AS VARCHAR)",
        '"CITY"': "CAST('Köln' AS VARCHAR)",
        '"joined_on"': "CAST('2024-01-05 00:00:00' AS TIMESTAMP_NTZ)",
        '"Active"': "TRUE",
    }
    till = {
        '"order_id"': "CAST('o1' AS VARCHAR)",
        '"customer_id"': "CAST('c1' AS VARCHAR)",
        '"ordered_at"': "CAST('2025-02-03' AS DATE)",
        '"model"': "CAST('gravel' AS VARCHAR)",
        '"Amount"': "CAST(12.5 AS NUMBER(37, 4))",
        '"STATUS"': "CAST('paid' AS VARCHAR)",
    }
    account.rows(f"CREATE SCHEMA {location}")
    for table, columns in (("customers", customers), ("TILL", till)):
        selected = ", ".join(f"{value} AS {name}" for name, value in columns.items())
        account.rows(f'CREATE TABLE {location}."{table}" AS SELECT {selected}')
    account.rows(f'CREATE VIEW {location}."Orders" AS SELECT * FROM {location}."TILL"')
    return own_schema


def run(account: Account, schema: str, folder: Path) -> Result:
    """Run the shop's marts."""
    location = account.run_words(schema=f"{schema}_GOLD", sources=schema)
    words = ("run", "--package", "toy_shop", "--as-of", "2025-06-30")
    return account.call(*words, *location, cwd=folder)


def test_marts_are_built_from_sources_of_other_spellings_and_types(
    account: Account, shop: str, tmp_path: Path
) -> None:
    done = run(account, shop, tmp_path)
    assert done.returncode == DONE, done.stderr + done.stdout
    (row,) = account.table(f"{shop}_GOLD", "customer_totals").to_pylist()
    assert (row["customer_id"], row["spend"]) == ("c1", D("12.50"))


def test_nothing_is_built_where_a_value_does_not_fit(
    account: Account, shop: str, tmp_path: Path
) -> None:
    till = account.location(shop, "till")
    account.rows(f'UPDATE {till} SET "Amount" = 12.505')
    done = run(account, shop, tmp_path)
    assert done.returncode == ASKED_WRONGLY
    assert "the sources do not fit their contracts; nothing was built" in done.stderr
    assert (
        "source orders, column amount: expected decimal(10, 2), found decimal(37, 4) with"
        " 1 value that does not fit, such as 12.5050"
    ) in done.stderr
    assert not account.tables(f"{shop}_GOLD")


def test_each_source_may_be_in_a_schema_of_its_own_under_a_name_of_its_own(
    account: Account, own_schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.snowflake_statements.connect", lambda _: account.session)
    schemas = [account.schema(f"{own_schema}_{number}") for number in range(2)]
    orders, shops = (f'"{account.database}"."{schema}"' for schema in schemas)
    for schema in (orders, shops):
        account.rows(f"CREATE SCHEMA IF NOT EXISTS {schema}")

    def create() -> None:
        columns = '"Kunden-Nr." NUMBER(38,0), "1st" VARCHAR'
        account.rows(f'CREATE OR REPLACE TABLE {orders}."Order Details" ({columns})')
        account.rows(f"INSERT INTO {orders}.\"Order Details\" VALUES (1, 'x')")

    create()
    account.rows(f"CREATE TABLE {shops}.SHOPS (ID NUMBER(38,0))")
    account.rows(f"INSERT INTO {shops}.SHOPS VALUES (1)")
    contracts = {
        "s": Contract(
            ibis.schema({"id": "int64", "a": "string"}), names={"id": "Kunden-Nr.", "a": "1ST"}
        ),
        "shops": Contract(ibis.schema({"id": "int64"})),
        "gone": Contract(ibis.schema({"id": "int64"}), optional=True),
    }
    options = SnowflakeOptions(
        database=account.database,
        schema="gold",
        source_schema=schemas[1],
        sources={"s": f'{orders}."Order Details"', "gone": f"{schemas[0]}.nothing"},
    )
    backend = SnowflakeBackend(options, sources=contracts)
    assert backend.describe_sources(["s", "shops"])["s"].misfits == ()
    one, other = (ibis.table(contracts[name].schema, name=name) for name in ("s", "shops"))
    assert backend.fetch(one.join(other, "id").select("id", "a"), about="s") == [
        {"id": 1, "a": "x"}
    ]
    assert backend.changed_sources() == []
    create()
    (line,) = backend.changed_sources()
    assert line.startswith(f"source s: {account.database}.{schemas[0]}.Order Details ")
    with pytest.raises(SourceError) as caught:
        backend.describe_sources(["gone"])
    assert f"there is no table {account.database}.{schemas[0]}.nothing" in str(caught.value)
