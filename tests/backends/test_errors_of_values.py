"""An engine's error says what was wrong with a value, and not the value."""

from __future__ import annotations

import duckdb
import pytest

from backends.csv_files import _without_row
from backends.duckdb_errors import said
from backends.snowflake_errors import _explained

PLANTED = 'O\'Planted "said" 4711\n\nLINE two'
ROW = f"""
SELECT '{PLANTED.replace("'", "''")}' AS s, 4711471147114711471 AS n, 4711471147.11::DOUBLE AS f,
       47114.71::DECIMAL(10, 2) AS d
"""
PARTS = ("Planted", "said", "4711", "LINE two")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("s::INT", "Could not convert string … to INT32"),
        ("s::DATE", "invalid date field format …"),
        ("s::TIMESTAMP", "invalid timestamp field format …"),
        ("s::DECIMAL(3, 1)", "Could not convert string … to DECIMAL(3,1)"),
        ("s::JSON", "Malformed JSON at byte …"),
        ("strptime(s, '%Y')", "Could not parse string …"),
        ("n + n + n", "Overflow in addition of INT64 …"),
        ("n::TINYINT", "Type INT64 with value …"),
        ("f::SMALLINT", "Type DOUBLE with value …"),
        ("d::DECIMAL(4, 1)", "Casting value …"),
        ("regexp_matches('a', '(' || s)", "missing ) …"),
        ("error(s[3:9])", "Invalid Input Error: …"),
        ("timezone(s, TIMESTAMP '2025-01-01')", "Not implemented Error: Unknown TimeZone …"),
    ],
)
def test_duckdb_quotes_no_value(value: str, words: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS {ROW}")
        with pytest.raises(duckdb.Error) as refused:
            connection.execute(f"SELECT {value} FROM t")
    message = said(refused.value)
    assert words in message
    assert not [part for part in PARTS if part in message]
    assert any(part in str(refused.value) for part in PARTS)


def test_a_key_that_is_there_twice_is_not_quoted() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (s VARCHAR UNIQUE)")
        connection.execute("INSERT INTO t VALUES ('Planted')")
        with pytest.raises(duckdb.ConstraintException) as refused:
            connection.execute("INSERT INTO t VALUES ('Planted')")
    assert "Planted" in str(refused.value)
    assert said(refused.value) == "Constraint Error: Duplicate key …"


def test_an_error_without_a_kind_quotes_no_value() -> None:
    assert said(duckdb.ConversionException("Planted")) == "Error: …"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            "In CSV column #0: CSV conversion error to int64: invalid value 'Planted'",
            "In CSV column #0: CSV conversion error to int64: invalid value …",
        ),
        ("CSV parse error: Expected 2 columns, got 3: Planted", None),
        ("In CSV column #0: invalid value 'O\nPlanted'", "In CSV column #0: invalid value …"),
    ],
)
def test_pyarrow_quotes_no_value(message: str, shown: str | None) -> None:
    assert _without_row(message) == (shown or "CSV parse error: Expected 2 columns, got 3")


def test_duckdb_names_the_column() -> None:
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS {ROW}")
        with pytest.raises(duckdb.Error) as refused:
            connection.execute("SELECT s::INT FROM t")
        assert said(refused.value).endswith("INT32 when casting from source column s")
        with pytest.raises(duckdb.Error) as refused:
            connection.execute("SELECT absent FROM t")
        assert 'Referenced column "absent" not found' in said(refused.value)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (f"Numeric value '{PLANTED}' is not recognized", "Numeric value '…' is not recognized"),
        (
            f'Failed to cast variant value "{PLANTED}" to FIXED',
            'Failed to cast variant value "…" to FIXED',
        ),
        (
            "Number out of representable range: type FIXED[SB8](38,0){not null}, value 47114711.5",
            "Number out of representable range: type FIXED[SB8](38,0){not null}, value …",
        ),
        (f"Error parsing JSON: {PLANTED}", "Error parsing JSON: …"),
        (f"Invalid value [{PLANTED}] for DATE", "Invalid value […] for DATE"),
        ("Timestamp out of range: Planted 4711", "Timestamp out of range: …"),
        ("Value too long: Planted", "Value too long: …"),
    ],
)
def test_snowflake_quotes_no_value(message: str, shown: str) -> None:
    from snowflake.connector.errors import ProgrammingError

    error = ProgrammingError(msg=message, errno=100038, sqlstate="22018")
    error.raw_msg = message
    assert _explained(error, "build people").facts[0] == shown
