"""Where sources are on Snowflake: other databases, schemas and names; without an account."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ibis
import pytest

from backends.factory import offline_compiler
from backends.snowflake_locations import Place, Places, written
from backends.snowflake_source import find_source
from backends.snowflake_sql import Namespace
from marts.core.errors import UsageError
from marts.core.project.settings import SNOWFLAKE, Settings
from marts.core.run.backend import Contract
from support.snowflake_catalog import row

RAW = Namespace("RAW", "DB")
CONTRACT = Contract(ibis.schema({"id": "int64"}))


def places(location: str | None = None, *, source_name: str | None = None) -> Place:
    """Return where the source `s` is, in an account that has every schema in upper case."""
    found = Places(
        lambda: RAW,
        {"s": location} if location else {},
        lambda schema, database: Namespace(schema.upper(), database.upper()),
        "db",
    )
    return found.of("s", replace(CONTRACT, source_name=source_name))


FOUND = [
    # location, source_name, tables there, what is found, where
    (None, None, ["S", "t"], ["S"], RAW),
    (None, None, ["s", "S"], ["S", "s"], RAW),
    (None, "Order Details", ["ORDER DETAILS", "Order Details"], ["Order Details"], RAW),
    (None, "Order Details", ["ORDER DETAILS"], ["ORDER DETAILS"], RAW),
    (None, "Order Details", ["ORDER DETAILS", "order details"], 2, RAW),
    (None, "Größe", ["GRÖßE"], ["GRÖßE"], RAW),
    ("orders", None, ["ORDERS", "Orders"], ["ORDERS"], RAW),
    ("Orders", None, ["ORDERS", "Orders"], ["Orders"], RAW),
    ("orders", None, ["Orders"], ["Orders"], RAW),
    ("orders", None, ["OrDers", "Orders"], 2, RAW),
    ('"orders"', None, ["ORDERS", "Orders"], [], RAW),
    ('"Order ""Details"""', None, ['Order "Details"'], ['Order "Details"'], RAW),
    ("erp.orders", "elsewhere", ["ORDERS"], ["ORDERS"], Namespace("ERP", "DB")),
    ("Erp.Public.ORDERS$1", None, ["ORDERS$1"], ["ORDERS$1"], Namespace("PUBLIC", "ERP")),
    ('"my.schema".orders', None, ["ORDERS"], ["ORDERS"], Namespace("my.schema", "DB")),
]


@pytest.mark.parametrize(("location", "source_name", "tables", "found", "namespace"), FOUND)
def test_a_table_is_found_by_its_location_or_its_name(
    location: str | None,
    source_name: str | None,
    tables: list[str],
    found: list[str] | int,
    namespace: Namespace,
) -> None:
    place = places(location, source_name=source_name)
    assert place.namespace == namespace
    there = place.find(tables)
    assert (there if isinstance(found, list) else len(there)) == found


@pytest.mark.parametrize(
    "text",
    ["raw/orders.csv", "crm.duckdb:orders", "a.b.c.d", "a..b", "", ".a", "1a", "a b", '"a', 'a"b"'],
)
def test_what_is_not_a_tables_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        written("orders", text)
    assert f"the location of source orders is wrong: {text}" in str(caught.value)
    assert "write [DATABASE.][SCHEMA.]TABLE" in str(caught.value)


def test_a_database_in_quotes_is_not_another() -> None:
    with pytest.raises(UsageError, match='database "erp" does not exist in this spelling'):
        places('"erp".public.orders')


COLUMNS = {"Id": "INT", "ID": "INT", "Größe": "TEXT", "1st": "DATE", "at": "TIMESTAMP_TZ"}


def test_columns_are_found_by_their_names_there() -> None:
    names = {"a": "Id", "b": "ID", "c": "GRÖßE", "d": "1st", "berlin": "AT", "utc": "at"}
    types = {"a": "int64", "b": "int64", "c": "string", "d": "date"}
    contract = Contract(
        ibis.schema({**types, "berlin": "timestamp", "utc": "timestamp"}),
        {"berlin": "Europe/Berlin", "utc": "UTC"},
        names=names,
    )
    rows = [row("S", name, kind) for name, kind in COLUMNS.items()]
    source = find_source("s", contract, ["S"], rows)
    assert source
    assert source.misfits == ()
    assert [found.column.name for found in source.columns] == [
        "Id",
        "ID",
        "Größe",
        "1st",
        "at",
        "at",
    ]
    sql = source.qualified(RAW).sql("snowflake")
    assert '"S"."Id" AS "A", "S"."ID" AS "B", "S"."Größe" AS "C", "S"."1st" AS "D"' in sql


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ({"a": "iD"}, "column a, iD in the source: found ID and Id, columns that differ only in"),
        ({"a": "Größe"}, "column a, Größe in the source: expected int64, found string"),
        ({"a": "Id", "b": "ID"}, None),
        ({"a": "1ST", "b": "1st"}, "columns a and b both read 1st"),
    ],
)
def test_a_name_that_does_not_fit_is_told_in_the_sources_spelling(
    names: dict[str, str], problem: str | None
) -> None:
    kind = "date" if "1st" in names.values() else "int64"
    contract = Contract(ibis.schema(dict.fromkeys(names, kind)), names=names)
    rows = [row("S", name, kind) for name, kind in COLUMNS.items()]
    source = find_source("s", contract, ["S"], rows)
    assert source
    assert [line.startswith(str(problem)) for line in source.misfits] == ([True] if problem else [])


def test_sql_is_compiled_over_the_locations_without_an_account(tmp_path: Path) -> None:
    table = ibis.table({"id": "int64", "at": "timestamp"}, name="s")
    other = ibis.table({"id": "int64"}, name="t")
    contracts = {
        "s": Contract(table.schema(), {"at": "UTC"}, names={"id": "Kunden-Nr."}),
        "t": Contract(other.schema(), source_name="Order Details"),
    }
    settings = Settings(
        backend=SNOWFLAKE, schema="gold", source_schema="raw", sources={"s": 'erp.public."Orders"'}
    )
    compiler = offline_compiler(settings, data=tmp_path, sources=contracts)
    sql = " ".join(compiler.compile(table.join(other, "id").select("id", "at")).split())
    assert 'SELECT "S"."Kunden-Nr." AS "ID", CAST(CONVERT_TIMEZONE(\'UTC\', "S"."AT")' in sql
    assert 'FROM "ERP"."PUBLIC"."Orders" AS "S"' in sql
    assert '"RAW"."Order Details" AS "S"' in sql
