"""The gate lets no statement pass that Snowflake's grammar lacks, and reads each shape once."""

from __future__ import annotations

import json
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector.errors import ProgrammingError

from marts.core.kit.emulated import emulator
from support import grammar
from support.account import emulated_account
from support.grammar import Allowed, check, fault, sent_by_marts, shape, stale

T = '"DB1"."GOLD"."T"'
WRONG = (
    f"CREATE OR REPLACE TRANSIENT TABLE {T} CLON {T} COPY GRANTS",
    f"ALTER TABLE {T} MODIFY COLUMN \"A\" COMMENTS 'x'",
    f'INSERT {T} OVERWRITE ("A") SELECT 1',
    "PUT 'file:///a.parquet' AUTO_COMPRESS = FALSE",
    f"COPY {T} FROM '@STAGE/a/' FILE_FORMAT = (TYPE = PARQUET)",
    f'SELECT SUM("A") FILTER (WHERE "A" > 0) FROM {T}',
    f"SELECT 1 +, 2 FROM {T}",
    f"SELECT COUNT(* FROM {T}",
    "BEGIN TRANSACTIONS",
)


@pytest.mark.parametrize("sql", WRONG)
def test_a_wrong_statement_is_named_with_its_fault(sql: str) -> None:
    said = fault(sql)
    assert said
    with pytest.raises(AssertionError) as caught:
        check(["COMMIT", sql])
    assert f"{said}\n{sql}" in str(caught.value)
    assert "COMMIT" not in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT '{{{{ x }}}} {{% y %}}' FROM {T}",
        f"CREATE OR REPLACE TRANSIENT TABLE {T} CLONE {T} COPY GRANTS",
        "BEGIN TRANSACTION",
    ],
)
def test_a_right_statement_passes(sql: str) -> None:
    check([sql])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('SELECT "A" FROM "X"', 'SELECT  "b""c"\nFROM "Y"'),
        ("IN ('it''s', 'x')", r"IN ('it\'s', '(', '''')"),
        ('FROM (SELECT 1 AS "A" UNION ALL SELECT 2.5 AS "A")', 'FROM (SELECT 7 AS "A")'),
        ('SELECT ("A"), MAX("B"), MAX("C")', 'SELECT ("A"), MAX("B")'),
    ],
)
def test_statements_that_differ_in_names_and_values_are_alike(one: str, other: str) -> None:
    assert shape(one) == shape(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('SELECT "A" FROM "X"', 'SELECT "A", FROM "X"'),
        ('SELECT "A", "A" AS "B" FROM "X"', 'SELECT "A" AS "B" FROM "X"'),
        ("SELECT 'A'", 'SELECT "A"'),
        ('SELECT "A" "B"', 'SELECT "A"'),
        ("COUNT(*)", "COUNT(*))"),
        ("(1), (2, 'x')", "(1)"),
    ],
)
def test_statements_that_differ_otherwise_are_not(one: str, other: str) -> None:
    assert shape(one) != shape(other)


def test_one_statement_of_each_shape_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    def note(sql: str) -> str | None:
        parsed.append(sql)
        return "wrong" if sql == "ROLL" else None

    monkeypatch.setattr(grammar, "fault", note)
    with pytest.raises(AssertionError, match="ROLL"):
        check(["SELECT 1", "SELECT 2", "ROLL"])
    assert parsed == ["SELECT 1", "ROLL"]


def test_only_what_marts_sent_is_read() -> None:
    tag = json.dumps({"tool": "marts", "step": "x"})
    events: list[dict[str, Any]] = [
        {"tag": tag, "sql": "SELECT 1"},
        {"tag": None, "sql": "SHOW TABLES"},
        {"tag": "marts, tests", "sql": "SHOW VIEWS"},
        {"tag": json.dumps({"tool": "other"}), "sql": "SHOW STAGES"},
        {"tag": tag, "sql": "SELECT 2"},
    ]
    assert sent_by_marts(events) == ["SELECT 1", "SELECT 2"]


@pytest.mark.slow
@pytest.mark.emulator
def test_an_account_is_closed_with_what_marts_sent_it(tmp_path: Path) -> None:
    right, wrong = "SELECT 1", WRONG[0]
    tag = {"QUERY_TAG": json.dumps({"tool": "marts"})}
    with ExitStack() as stack:
        running = stack.enter_context(emulator(tmp_path))
        account = stack.enter_context(emulated_account(running))
        for sql in (right, wrong):
            with suppress(ProgrammingError):
                account.session.cursor().execute(sql, _statement_params=tag)
        with pytest.raises(AssertionError) as caught:
            stack.close()
    assert wrong in str(caught.value)
    assert right not in str(caught.value)


def test_no_exception_is_left_that_is_not_needed() -> None:
    assert stale() == []
    found = stale(
        {
            "needed": Allowed("SHOW X", "SHOW TABLES", "SHOW X IN SCHEMA S", "a page"),
            "parsed by now": Allowed("TABLES", "VIEWS", "SHOW TABLES", "a page"),
            "not its example": Allowed("SHOW X", "SHOW TABLES", "SHOW Y", "a page"),
        }
    )
    assert found == ["parsed by now", "not its example"]
