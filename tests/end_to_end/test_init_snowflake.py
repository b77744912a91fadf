"""`marts init --from snowflake:DB.SCHEMA`: the same declarations, by aggregates in the account."""

from __future__ import annotations

import re
from pathlib import Path

from end_to_end.test_init import DBT_ROWS, assert_it_is_tidy, dbt_artifacts, sources_of
from support.account import Account

CREATED = [
    """CREATE TABLE {0}."ORDERS" ("ORDER_ID" NUMBER(38, 0), "CUSTOMER_ID" NUMBER(38, 0),
    "Status" VARCHAR, "AMOUNT" NUMBER(12, 2), "RATIO" FLOAT, "ORDERED_ON" DATE,
    "PLACED_AT" TIMESTAMP_NTZ, "SEEN_AT" TIMESTAMP_TZ, "IS_PAID" BOOLEAN, "RAW" VARIANT)""",
    """INSERT INTO {0}."ORDERS" SELECT "N", "N" % 10, CASE WHEN "N" % 2 = 0 THEN 'paid' ELSE 'open'
    END, "N" / 4, "N" / 2, DATE_FROM_PARTS(2025, 6, 1 + "N" % 28),
    TIMESTAMP_NTZ_FROM_PARTS(2025, 6, 1, 0, "N" % 60, 0), CURRENT_TIMESTAMP(), TRUE, NULL
    FROM (SELECT SEQ4() AS "N" FROM TABLE(GENERATOR(ROWCOUNT => 100)))""",
    """CREATE TABLE {0}."Customer List" ("Customer ID" NUMBER(38, 0), "CITY" VARCHAR)""",
    """INSERT INTO {0}."Customer List" SELECT "N", CASE WHEN "N" > 3 THEN 'Ulm' END
    FROM (SELECT SEQ4() AS "N" FROM TABLE(GENERATOR(ROWCOUNT => 10)))""",
    """CREATE TABLE {0}."LINES" AS SELECT "ORDER_ID", "P" AS "LINE_NUMBER", "AMOUNT"
    FROM {0}."ORDERS" CROSS JOIN (SELECT SEQ4() AS "P" FROM TABLE(GENERATOR(ROWCOUNT => 3)))""",
]
DECLARED = [
    "# no nulls; all different; 0 to 9; decimal(38, 0) in the data",
    'source_name="Customer List"',
    'int64("customer_id", source_name="Customer ID")',
    '# 4 nulls\n        string("city", null=True)',
    '# unique in 100 of 100 rows\n    grain="order_id"',
    '# unique in 300 of 300 rows\n    grain=("order_id", "line_number")',
    'string("status", values=["open", "paid"])',
    'decimal("amount", 12, 2, at_least=0)',
    'float64("ratio", at_least=0)',
    'date("ordered_on")',
    'timestamp("placed_at")',
    'timestamp("seen_at", zone="UTC")',
    'boolean("is_paid")',
    "# left out: RAW: variant, a nested type",
    "# 100 of 100 values are there",
    'relationship("customer_id", to="customer_list.customer_id")',
]


def test_a_schema_becomes_a_project(emulated: Account, own_schema: str, tmp_path: Path) -> None:
    schema = emulated.schema(own_schema)
    qualified = f'"{emulated.database}"."{schema}"'
    for sql in ["CREATE SCHEMA {0}", *CREATED]:
        emulated.rows(sql.format(qualified))
    place = f"{emulated.database}.{schema}"
    words = ["init", "shop", "--from", f"snowflake:{place}", "--connection", emulated.name]
    with emulated.recorded() as sent:
        done = emulated.call(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    project = tmp_path / "shop"
    assert [each for each in DECLARED if each not in sources_of(project)] == []
    settings = (project / "pyproject.toml").read_text("utf-8")
    assert f'source_database = "{emulated.database}"\nsource_schema = "{schema}"' in settings
    # No rows leave the account, but labels.
    asked = [each["sql"] for each in sent if f'"{schema}"' in each["sql"]]
    listed = [sql for sql in asked if not re.match(r"SELECT (COUNT|SUM)\(", sql)]
    assert all(re.match(r'SELECT DISTINCT "(Status|CITY)" FROM', sql) for sql in listed), listed
    assert_it_is_tidy(project, types=False)
    words = ["--env", "prod", "--database", emulated.database]
    words += ["--schema", emulated.schema(f"{own_schema}_GOLD")]
    done = emulated.call("run", *words, cwd=project, MARTS_PACKAGE="shop_marts")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_dbt_project_stands_beside(emulated: Account, own_schema: str, tmp_path: Path) -> None:
    schema = emulated.schema(own_schema)
    qualified = f'"{emulated.database}"."{schema}"'
    for sql in ["CREATE SCHEMA {0}", *DBT_ROWS]:
        emulated.rows(sql.format(qualified + ("." if "{0}p" in sql or "{0}v" in sql else "")))
    dbt_artifacts(tmp_path / "crm", "snowflake", schema, emulated.database)
    words = ["init", "new", "--from", "dbt:crm", "--connection", emulated.name]
    done = emulated.call(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    words = ["--database", emulated.database, "--schema", emulated.schema(f"{own_schema}_GOLD")]
    done = emulated.call(
        "run", "--env", "prod", *words, cwd=tmp_path / "new", MARTS_PACKAGE="new_marts"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert emulated.tables(f"{own_schema}_GOLD") == ["MARTS_STATE", "PERSON_VISITS"]
