"""How Snowflake reads one source, from what its catalog says: without an account."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import pytest
import sqlglot.expressions as sge
from sqlglot.schema import MappingSchema

from backends.snowflake_source import Source, assumed_source, find_source
from backends.snowflake_sql import Namespace, compile_query
from marts.core.run.backend import Contract
from support.snowflake_catalog import row
from support.snowflake_faults import LOOKING, faults

RAW = Namespace("RAW")
BERLIN = "Europe/Berlin"


def found(
    columns: Mapping[str, str], contract: Mapping[str, str], *, table: str = "S", **zones: str
) -> Source:
    """Return the source `s` of a contract as it is in a table of these columns and types."""
    rows = [row(table, name, kind) for name, kind in columns.items()]
    source = find_source("s", Contract(ibis.schema(contract), zones), [table], rows)
    assert source
    return source


def text(tree: sge.Expr | None) -> str:
    return tree.sql("snowflake") if tree else ""


def faults_of(tree: sge.Expr, columns: Mapping[str, str], table: str = "S") -> list[str]:
    """Return the names in a query of a table that Snowflake would refuse, given their case."""
    schema = MappingSchema(dialect="snowflake", normalize=False)
    types = {name: "INT" if "(" in kind else kind for name, kind in columns.items()}
    schema.add_table(sge.table_(table, db="RAW", quoted=True), types)
    return faults(text(tree), schema, also=LOOKING, spelled=[table, *columns])


def test_a_source_as_its_contract_has_it_is_a_table() -> None:
    columns = {"ID": "INT", "AMOUNT": "NUMBER(10,2)", "SHARE": "FLOAT", "MORE": "VARIANT"}
    columns |= {"DAY": "DATE", "AT": "TIMESTAMP_NTZ", "NAME": "TEXT", "FLAG": "BOOLEAN"}
    contract = {"flag": "boolean", "name": "string", "at": "timestamp", "day": "date"}
    contract |= {"share": "float64", "amount": "decimal(10, 2)", "id": "int64"}
    source = found(columns, contract)
    assert source.misfits == ()
    assert text(source.qualified(RAW)) == '"RAW"."S"'
    assumed = assumed_source("s", Contract(ibis.schema(contract)))
    assert text(assumed.qualified(RAW)) == '"RAW"."S"'


READ = [
    # on Snowflake, in the contract, how it is read
    ("NUMBER(5,0)", "int64", "{}"),
    ("NUMBER(38,0)", "int64", "{}"),
    ("NUMBER(38,2)", "int64", "CAST({} AS BIGINT)"),
    ("NUMBER(38,0)", "decimal(10, 2)", "CAST({} AS DECIMAL(10, 2))"),
    ("NUMBER(38,0)", "decimal(38, 0)", "{}"),
    ("NUMBER(10,2)", "decimal(10, 2)", "{}"),
    ("NUMBER(38,2)", "decimal(10, 2)", "CAST({} AS DECIMAL(10, 2))"),
    ("NUMBER(10,4)", "decimal(10, 2)", "CAST({} AS DECIMAL(10, 2))"),
    ("NUMBER(4,1)", "decimal(10, 2)", "CAST({} AS DECIMAL(10, 2))"),
    ("NUMBER(38,0)", "float64", "CAST({} AS DOUBLE)"),
    ("FLOAT", "float64", "{}"),
    ("TEXT", "string", "{}"),
    ("DATE", "date", "{}"),
    ("DATE", "timestamp", "CAST({} AS TIMESTAMPNTZ)"),
    ("TIMESTAMP_NTZ", "timestamp", "{}"),
    ("TIMESTAMP_NTZ", "date", "CAST({} AS DATE)"),
    ("BOOLEAN", "boolean", "{}"),
]


@pytest.mark.parametrize(("kind", "expected", "read"), READ)
def test_a_column_is_cast_where_its_type_is_another(kind: str, expected: str, read: str) -> None:
    column = '"S"."A"'
    value = read.format(column) + ("" if read == "{}" else ' AS "A"')
    source = found({"A": kind, "b": "TEXT"}, {"a": expected, "b": "string"})
    assert source.misfits == ()
    place = source.qualified(RAW)
    assert text(place) == f'(SELECT {value}, "S"."b" AS "B" FROM "RAW"."S" AS "S")'
    assert isinstance(place, sge.Subquery)
    assert faults_of(place.this, {"A": kind, "b": "TEXT"}) == []


LEAST, MOST = -(2**63), 2**63 - 1
COUNTED = [
    # on Snowflake, in the contract, of the values that do not fit
    ("NUMBER(19,0)", "int64", '"S"."A" < {LEAST} OR "S"."A" > {MOST}'),
    ("NUMBER(20,1)", "int64", '"S"."A" <> TRUNC("S"."A", 0) OR "S"."A" < {LEAST}'),
    ("NUMBER(10,1)", "int64", '"S"."A" <> TRUNC("S"."A", 0)'),
    ("NUMBER(11,2)", "decimal(10, 2)", '"S"."A" < -99999999.99 OR "S"."A" > 99999999.99'),
    # No literal has more digits than the column: at its scale, it would not fit either.
    ("NUMBER(38,0)", "decimal(10, 2)", '"S"."A" < -99999999 OR "S"."A" > 99999999'),
    ("NUMBER(38,1)", "decimal(10, 2)", '"S"."A" < -99999999.9 OR "S"."A" > 99999999.9'),
    ("NUMBER(38,37)", "decimal(38, 2)", '"S"."A" <> TRUNC("S"."A", 2)'),
    ("NUMBER(38,0)", "decimal(37, 0)", f'"S"."A" < -{"9" * 37} OR "S"."A" > {"9" * 37}'),
    ("NUMBER(38,0)", "float64", f'"S"."A" < {-(2**53)} OR "S"."A" > {2**53}'),
    ("TIMESTAMP_NTZ", "timestamp", '"S"."A" <> DATE_TRUNC(\'MICROSECOND\', "S"."A")'),
    ("TIMESTAMP_NTZ", "date", '"S"."A" <> DATE_TRUNC(\'DAY\', "S"."A")'),
]


@pytest.mark.parametrize(("kind", "expected", "condition"), COUNTED)
def test_what_the_types_do_not_tell_is_counted(kind: str, expected: str, condition: str) -> None:
    query = found({"A": kind, "B": "TEXT"}, {"a": expected, "b": "string"}).count(RAW)
    assert query
    written = condition.format(LEAST=LEAST, MOST=MOST)
    assert f"COUNT(CASE WHEN {written}" in text(query)
    assert '"B"' not in text(query)
    assert faults_of(query, {"A": kind, "B": "TEXT"}) == []


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("NUMBER(18,0)", "int64"),
        ("NUMBER(8,0)", "decimal(10, 2)"),
        ("NUMBER(10,2)", "decimal(18, 2)"),
        ("NUMBER(15,0)", "float64"),
        ("DATE", "timestamp"),
        ("TEXT", "string"),
    ],
)
def test_what_the_types_tell_is_not_counted(kind: str, expected: str) -> None:
    assert found({"A": kind}, {"a": expected}).count(RAW) is None


@pytest.mark.parametrize(
    ("kind", "expected", "said"),
    [
        ("FLOAT", "decimal(10, 2)", "float64"),
        ("FLOAT", "int64", "float64"),
        ("NUMBER(10,2)", "float64", "decimal(10, 2)"),
        ("NUMBER(38,0)", "string", "decimal(38, 0)"),
        ("NUMBER(38,0)", "boolean", "decimal(38, 0)"),
        ("NUMBER(8,0)", "date", "decimal(8, 0)"),
        ("TEXT", "date", "string"),
        ("TEXT", "int64", "string"),
        ("BOOLEAN", "int64", "boolean"),
        ("TIME", "timestamp", "time"),
        ("BINARY", "string", "binary"),
        ("VARIANT", "string", "variant, a nested type"),
        ("GEOGRAPHY", "string", "geography"),
        ("DECFLOAT", "decimal(10, 2)", "decfloat"),
        ("TIMESTAMP_LTZ", "timestamp", "timestamp with a zone: declare the zone of its calendar"),
        ("TIMESTAMP_TZ", "date", "timestamp with a zone"),
    ],
)
def test_a_type_of_another_kind_is_refused(kind: str, expected: str, said: str) -> None:
    source = found({"A": kind}, {"a": expected})
    (line,) = source.misfits
    assert line.startswith(f"column a: expected {expected}, found {said}")
    assert source.count(RAW) is None


@pytest.mark.parametrize("kind", ["TIMESTAMP_LTZ", "TIMESTAMP_TZ"])
def test_moments_are_read_as_the_time_of_day_in_their_zone(kind: str) -> None:
    columns = {"ID": "NUMBER(5,0)", "AT": kind}
    source = found(columns, {"id": "int64", "at": "timestamp"}, at=BERLIN)
    read = (
        f'(SELECT "S"."ID", CAST(CONVERT_TIMEZONE(\'{BERLIN}\', "S"."AT") AS TIMESTAMPNTZ)'
        ' AS "AT" FROM "RAW"."S" AS "S")'
    )
    assert text(source.qualified(RAW)) == read
    assumed = assumed_source("s", Contract(source.schema, {"at": BERLIN}))
    assert text(assumed.qualified(RAW)) == read
    place, count = source.qualified(RAW), source.count(RAW)
    assert isinstance(place, sge.Subquery)
    assert count
    assert faults_of(place.this, columns) == faults_of(count, columns) == []


def test_a_zone_for_a_column_that_has_none_is_a_misfit() -> None:
    (line,) = found({"AT": "TIMESTAMP_NTZ"}, {"at": "timestamp"}, at=BERLIN).misfits
    assert line.startswith(f"column at: expected timestamp with a zone, to read in {BERLIN}")


def test_names_are_read_as_the_table_spells_them() -> None:
    columns = {"id": "NUMBER(5,0)", "Order Amount": "TEXT", "aMount": "FLOAT", "K": "TEXT"}
    contract = {"amount": "float64", "id": "int64"}
    source = found(columns, contract, table="s")
    place = source.qualified(RAW)
    assert text(place) == (
        '(SELECT "S"."aMount" AS "AMOUNT", "S"."id" AS "ID" FROM "RAW"."s" AS "S")'
    )
    query = ibis.table(source.schema, name="s")
    sql = compile_query(
        query.filter(query.id > 1),
        sources=["s"],
        source_namespace=RAW,
        namespace=Namespace("GOLD"),
        source_of=lambda _: source.qualified(RAW),
    )
    schema = MappingSchema(dialect="snowflake", normalize=False)
    schema.add_table(sge.table_("s", db="RAW", quoted=True), {"id": "INT", "aMount": "FLOAT"})
    assert 'FROM "RAW"."s" AS "S"' in sql
    assert faults(sql.replace("*", '"T0"."ID"'), schema, spelled=["s", "id", "aMount"]) == []


def test_a_table_in_upper_case_with_a_name_of_its_own_case_is_named_alone() -> None:
    assert text(found({"ID": "NUMBER(5,0)"}, {"id": "int64"}, table="s").qualified(RAW)) == (
        '(SELECT "S"."ID" FROM "RAW"."s" AS "S")'
    )


def test_columns_that_differ_in_case_alone_are_refused() -> None:
    source = found({"id": "INT", "B": "INT", "ID": "INT"}, {"id": "int64", "b": "int64"})
    line = "column id: found ID and id, columns that differ only in case"
    assert source.misfits == (line,)
    assert source.schema.names == ("id", "b")
    assert source.count(RAW) is None
    assert found({"x": "INT", "B": "INT", "X": "INT"}, {"b": "int64"}).misfits == ()


def test_tables_that_differ_in_case_alone_are_refused() -> None:
    contract = Contract(ibis.schema({"id": "int64"}))
    rows = [row(table, "ID", "INT") for table in ("s", "S", "t")]
    source = find_source("s", contract, ["s", "S", "t"], rows)
    assert source
    assert source.misfits == ("found S and s, tables that differ only in case",)
    assert source.schema == contract.schema
    assert find_source("u", contract, ["s", "S", "t"], rows) is None


def test_a_column_that_is_not_there_is_not_in_the_schema() -> None:
    source = found({"A": "INT"}, {"a": "int64", "b": "int64"})
    assert source.schema.names == ("a",)
    assert source.misfits == ()


def test_a_source_is_another_where_it_is_read_otherwise() -> None:
    columns = {"AT": "TIMESTAMP_TZ"}
    digests = {
        found(columns, {"at": "timestamp"}, at=BERLIN).digest,
        found(columns, {"at": "timestamp"}, at="Asia/Tokyo").digest,
        found(columns, {"at": "timestamp"}).digest,
        found({"at": "TIMESTAMP_TZ"}, {"at": "timestamp"}, at=BERLIN).digest,
        found({"AT": "TIMESTAMP_NTZ"}, {"at": "timestamp"}, at=BERLIN).digest,
    }
    assert len(digests) == 5
    more = columns | {"MORE": "TEXT"}
    assert found(more, {"at": "timestamp"}, at=BERLIN).digest in digests
