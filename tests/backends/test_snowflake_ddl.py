"""The statements that no emulator runs as Snowflake would, word for word."""

from __future__ import annotations

import datetime
import inspect
from pathlib import Path
from textwrap import dedent

import ibis
import pytest
import sqlglot
import sqlglot.expressions as sge

from backends import snowflake_ddl as ddl
from support.grammar import fault

T, CANDIDATE = '"DB1"."GOLD"."T"', '"DB1"."GOLD"."T__CANDIDATE_20250630T120000_0123ABCD"'
FOLDER = ddl.stage_folder('"DB1"."RAW"."STAGE"', "0_t")
COMMENT = 'It\'s "quoted", \\ and\nof two lines'
LOCK_AND_A = " UNION ALL ".join(
    f"""SELECT '' AS "PACKAGE", '{name}' AS "NAME", NULL AS "AS_OF\"""" for name in ("lock", "a")
)
SAME = '"T"."PACKAGE" = "S"."PACKAGE" AND "T"."NAME" = "S"."NAME"'
QUOTED = r"""'It\'s "quoted", \\ and\nof two lines'"""

SCHEMA = ibis.schema(
    {
        "name": "string",
        "count": "int64",
        "small": "int32",
        "share": "float64",
        "amount": "decimal(18, 2)",
        "day": "date",
        "moment": "timestamp(9)",
        "instant": "timestamp('UTC', 9)",
        "flag": "boolean",
    }
)

# By builder: what is said, and its text.
STATEMENTS = {
    "create_schema": (
        ddl.create_schema('"DB1"."GOLD"'),
        'CREATE SCHEMA IF NOT EXISTS "DB1"."GOLD"',
    ),
    "create_table_as": (
        ddl.create_table_as(T, 'SELECT 1 AS "A"'),
        f"""\
        CREATE OR REPLACE TRANSIENT TABLE {T}
        DATA_RETENTION_TIME_IN_DAYS = 0
        AS
        SELECT 1 AS "A\"""",
    ),
    "create_temporary_table": (
        ddl.create_temporary_table(T, SCHEMA),
        f"""\
        CREATE TEMPORARY TABLE {T} (
          "NAME" VARCHAR,
          "COUNT" BIGINT,
          "SMALL" INT,
          "SHARE" DOUBLE,
          "AMOUNT" DECIMAL(18, 2),
          "DAY" DATE,
          "MOMENT" TIMESTAMP_NTZ,
          "INSTANT" TIMESTAMP_LTZ,
          "FLAG" BOOLEAN
        )""",
    ),
    "create_candidates_schema": (
        ddl.create_candidates_schema('"DB1"."GOLD_CANDIDATES"'),
        (
            'CREATE TRANSIENT SCHEMA IF NOT EXISTS "DB1"."GOLD_CANDIDATES"'
            " DATA_RETENTION_TIME_IN_DAYS = 0"
        ),
    ),
    "create_target": (
        ddl.create_target(
            T, {"A": "NUMBER(38, 0)", "B": "VARCHAR"}, comment=COMMENT, column_comments={"b": "b's"}
        ),
        f"""\
        CREATE TRANSIENT TABLE IF NOT EXISTS {T} (
          "A" NUMBER(38, 0),
          "B" VARCHAR COMMENT 'b\\'s'
        )
        DATA_RETENTION_TIME_IN_DAYS = 1
        COMMENT = {{comment}}""",
    ),
    "add_column": (
        ddl.add_column(T, "a", "NUMBER(38, 0)"),
        f'ALTER TABLE {T} ADD COLUMN "A" NUMBER(38, 0)',
    ),
    "add_own_column": (
        ddl.add_own_column(T, "a", "timestamp"),
        f'ALTER TABLE {T} ADD COLUMN IF NOT EXISTS "A" TIMESTAMP_NTZ',
    ),
    "create_empty": (
        ddl.create_empty(T, {"a": ibis.dtype("int64"), "b": ibis.dtype("string")}),
        f"""\
        CREATE OR REPLACE TRANSIENT TABLE {T} (
          "A" BIGINT,
          "B" VARCHAR
        )
        DATA_RETENTION_TIME_IN_DAYS = 0""",
    ),
    "insert": (
        ddl.insert(T, [(1, "it's", None, True), (0.5, datetime.date(2025, 6, 30), "", False)]),
        f"""\
        INSERT INTO {T} VALUES
        (1, 'it\\'s', NULL, TRUE),
        (0.5, '2025-06-30', '', FALSE)""",
    ),
    "widen_column": (
        ddl.widen_column(T, "a", "NUMBER(18, 2)"),
        f'ALTER TABLE {T} ALTER COLUMN "A" SET DATA TYPE NUMBER(18, 2)',
    ),
    "drop_not_null": (
        ddl.drop_not_null(T, "a"),
        f'ALTER TABLE {T} ALTER COLUMN "A" DROP NOT NULL',
    ),
    "drop_column": (ddl.drop_column(T, "a"), f'ALTER TABLE {T} DROP COLUMN "A"'),
    "keep_history": (
        ddl.keep_history(CANDIDATE),
        f"ALTER TABLE {CANDIDATE} SET DATA_RETENTION_TIME_IN_DAYS = 1",
    ),
    "set_lock_timeout": (ddl.set_lock_timeout(60), "ALTER SESSION SET LOCK_TIMEOUT = 60"),
    "overwrite": (
        ddl.overwrite(T, CANDIDATE, ["a", "b"]),
        f"""\
        INSERT OVERWRITE INTO {T} ("A", "B")
        SELECT "A", "B" FROM {CANDIDATE}""",
    ),
    "contents": (
        ddl.contents({"one": T, "two": CANDIDATE}, {"one": ["a", "b"]}),
        f"""\
        SELECT 'one', COUNT(*), HASH_AGG("A", "B") FROM {T}
        UNION ALL SELECT 'two', COUNT(*), NULL FROM {CANDIDATE}""",
    ),
    "comment": (ddl.comment("view", T, COMMENT), f"COMMENT ON VIEW {T} IS {{comment}}"),
    "comment_column": (
        ddl.comment_column(T, "a", COMMENT),
        f'COMMENT ON COLUMN {T}."A" IS {{comment}}',
    ),
    "claim": (
        ddl.claim(T, [{"package": "", "name": n, "as_of": None} for n in ("lock", "a")]),
        f"""\
        INSERT INTO {T} ("PACKAGE", "NAME", "AS_OF")
        SELECT "PACKAGE", "NAME", "AS_OF" FROM ({LOCK_AND_A}) AS "S"
        WHERE NOT EXISTS (SELECT 1 FROM {T} AS "T" WHERE {SAME})""",
    ),
    "lock": (
        ddl.lock(T, "R", kind="lock"),
        f"UPDATE {T} SET \"RUN_ID\" = 'R' WHERE \"KIND\" = 'lock'",
    ),
    "recorded_runs": (
        ddl.recorded_runs(T, ["a", "b"]),
        (
            f'SELECT "PACKAGE", "NAME", "RUN_ID" FROM {T}'
            """ WHERE "NAME" IN ('a', 'b') AND "KIND" IN ('table', 'view')"""
            ' AND "AS_OF" IS NOT NULL'
        ),
    ),
    "recorded_of": (
        ddl.recorded_of(T, "R", "publication"),
        f"SELECT COUNT(*) FROM {T} WHERE \"NAME\" = 'R' AND \"KIND\" = 'publication'",
    ),
    "comment_columns": (
        ddl.comment_columns(T, {"a": COMMENT, "b": "plain"}),
        f"""\
        ALTER TABLE {T} MODIFY
          COLUMN "A" COMMENT {{comment}},
          COLUMN "B" COMMENT 'plain'""",
    ),
    "create_view": (
        ddl.create_view(
            T,
            'SELECT 1 AS "A", 2 AS "B"',
            columns=["a", "b"],
            comment=COMMENT,
            column_comments={"b": "its b"},
        ),
        f"""\
        CREATE OR REPLACE VIEW {T} (
          "A",
          "B" COMMENT 'its b'
        )
        COPY GRANTS
        COMMENT = {{comment}}
        AS
        SELECT 1 AS "A", 2 AS "B\"""",
    ),
    "replace_by_clone": (
        ddl.replace_by_clone(T, CANDIDATE),
        f"CREATE OR REPLACE TRANSIENT TABLE {T} CLONE {CANDIDATE} COPY GRANTS",
    ),
    "clone": (ddl.clone(T, CANDIDATE), f"CREATE TRANSIENT TABLE {T} CLONE {CANDIDATE}"),
    "drop, of a table": (ddl.drop("table", T), f"DROP TABLE IF EXISTS {T}"),
    "drop, of a view": (ddl.drop("view", T), f"DROP VIEW IF EXISTS {T}"),
    "create_own": (
        ddl.create_own(T, {"package": "string", "as_of": "date", "published_at": "timestamp"}),
        f"""\
        CREATE TABLE IF NOT EXISTS {T} (
          "PACKAGE" VARCHAR,
          "AS_OF" DATE,
          "PUBLISHED_AT" TIMESTAMP_NTZ
        )""",
    ),
    "merge_state": (
        ddl.merge_state(
            T,
            [
                {
                    "package": "p",
                    "name": "m1",
                    "as_of": datetime.date(2025, 6, 30),
                    "published_at": datetime.datetime(2025, 7, 1, 2, 3, 4),  # noqa: DTZ001  (UTC)
                    "origin": "it's",
                },
                {
                    "package": "p",
                    "name": "m2",
                    "as_of": None,
                    "published_at": None,
                    "origin": None,
                },
            ],
        ),
        f"""\
        MERGE INTO {T} AS "T"
        USING (SELECT 'p' AS "PACKAGE", 'm1' AS "NAME", DATE_FROM_PARTS(2025, 6, 30) AS "AS_OF", \
TIMESTAMP_NTZ_FROM_PARTS(2025, 7, 1, 2, 3, 4, 0) AS "PUBLISHED_AT", 'it\\'s' AS "ORIGIN" UNION ALL \
SELECT 'p' AS "PACKAGE", 'm2' AS "NAME", NULL AS "AS_OF", NULL AS "PUBLISHED_AT", \
NULL AS "ORIGIN") AS "S"
        ON "T"."PACKAGE" = "S"."PACKAGE" AND "T"."NAME" = "S"."NAME"
        WHEN MATCHED THEN UPDATE SET "AS_OF" = "S"."AS_OF", \
"PUBLISHED_AT" = "S"."PUBLISHED_AT", "ORIGIN" = "S"."ORIGIN"
        WHEN NOT MATCHED THEN INSERT ("PACKAGE", "NAME", "AS_OF", "PUBLISHED_AT", "ORIGIN") \
VALUES ("S"."PACKAGE", "S"."NAME", "S"."AS_OF", "S"."PUBLISHED_AT", "S"."ORIGIN")""",
    ),
    "delete_state": (
        ddl.delete_state(T, "name", ["m1", "m2"]),
        f"DELETE FROM {T} WHERE \"NAME\" IN ('m1', 'm2')",
    ),
    "delete_state, but": (
        ddl.delete_state(T, "name", ["m1"], but={"kind": "source", "package": "it's"}),
        (
            f"DELETE FROM {T} WHERE \"NAME\" IN ('m1')"
            " AND \"KIND\" <> 'source' AND \"PACKAGE\" <> 'it\\'s'"
        ),
    ),
    "copy_into": (
        ddl.copy_into(T, FOLDER),
        f"""\
        COPY INTO {T} FROM '@"DB1"."RAW"."STAGE"/0_t/'
        FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE)
        MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE
        ON_ERROR = ABORT_STATEMENT""",
    ),
    "create_temporary_stage": (
        ddl.create_temporary_stage('"DB1"."RAW"."STAGE"'),
        'CREATE TEMPORARY STAGE "DB1"."RAW"."STAGE"',
    ),
    "put": (
        ddl.put(Path("/tmp/it's [x]*/0_t.parquet"), FOLDER),  # noqa: S108
        (
            r"PUT 'file:///tmp/it\'s [[]x][*]/0_t.parquet'"
            """ '@"DB1"."RAW"."STAGE"/0_t/' AUTO_COMPRESS = FALSE"""
        ),
    ),
    "column_contents": (
        ddl.column_contents(T, {"a": True, "b": False}),
        f'SELECT COUNT(*), COUNT("A"), MIN("A"), MAX("A"), COUNT("B") FROM {T}',
    ),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_text_of_a_statement(name: str) -> None:
    statement, text = STATEMENTS[name]
    assert statement == dedent(text).replace("{comment}", QUOTED)


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_is_in_snowflakes_grammar(name: str) -> None:
    assert fault(STATEMENTS[name][0]) is None


PARTS = {"literal", "identifier", "column_type", "stage_folder", "value"}
"""They return parts of statements."""


def test_every_builder_has_its_example() -> None:
    functions = inspect.getmembers(ddl, inspect.isfunction)
    own = {name for name, each in functions if each.__module__ == ddl.__name__}
    builders = {name for name in own - PARTS if not name.startswith("_")}
    assert {name.partition(",")[0] for name in STATEMENTS} == builders


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "it's",
        "''",
        '"',
        "\\",
        "\\'",
        "two\nlines",
        "tab\t",
        "é ✓",
        "$$",
        "-- no",
        "{}",
        "",
    ],
)
def test_a_literal_says_its_text(text: str) -> None:
    literal = sqlglot.parse_one(ddl.literal(text), read=ddl.DIALECT)
    assert isinstance(literal, sge.Literal)
    assert literal.name == text


@pytest.mark.parametrize(
    ("name", "text"), [("a", '"A"'), ("Select", '"SELECT"'), ('a"b', '"A""B"'), ("a.b", '"A.B"')]
)
def test_an_identifier_is_quoted_and_upper_case(name: str, text: str) -> None:
    assert ddl.identifier(name) == text
