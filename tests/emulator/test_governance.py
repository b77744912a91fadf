"""The emulator records who governs what as Snowflake does, and loses it where Snowflake does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from snowflake.connector import DictCursor, SnowflakeConnection
from snowflake.connector.errors import IntegrityError, ProgrammingError

from backends.emulator.process import Emulator
from backends.snowflake_governance import Governance, Grant, Policy, Tag, governance
from backends.snowflake_keys import Key, declare_key, drop_key, keys
from backends.snowflake_sql import Namespace

S = '"MARTS"."GOVERNED"'
GOVERNED = Namespace("GOVERNED", "MARTS")
SETTING = (
    f"CREATE SCHEMA {S}",
    f"CREATE MASKING POLICY {S}.MASK AS (V VARCHAR) RETURNS VARCHAR -> '***'",
    f"CREATE MASKING POLICY {S}.MASK_IF AS (V VARCHAR, W VARCHAR) RETURNS VARCHAR -> W",
    f"CREATE ROW ACCESS POLICY {S}.OWN AS (V VARCHAR) RETURNS BOOLEAN -> TRUE",
    f"CREATE TAG {S}.PII",
    f"GRANT SELECT ON FUTURE TABLES IN SCHEMA {S} TO ROLE ANALYST",
    f"GRANT SELECT ON FUTURE VIEWS IN SCHEMA {S} TO ROLE VIEWER",
)
POLICIES = (
    Policy("MASKING_POLICY", f'{S}."MASK"', "A"),
    Policy("MASKING_POLICY", f'{S}."MASK_IF"', "B", ("A",)),
    Policy("ROW_ACCESS_POLICY", f'{S}."OWN"', None, ("C",)),
)
TAGS = (Tag(f'{S}."PII"', "it's", None), Tag(f'{S}."PII"', "yes", "A"))
FUTURE, BY_HAND = Grant("SELECT", 'ROLE "ANALYST"'), Grant("INSERT", 'ROLE "BY_HAND"', True)
OF_TABLE = Governance(POLICIES, TAGS, (FUTURE, BY_HAND), clustering='"A"')


class Database:
    """A session, as production reads it."""

    def __init__(self, session: SnowflakeConnection) -> None:
        self.session = session

    def run(self, *statements: str) -> list[Any]:
        """Run statements, and return the rows of the last."""
        with self.session.cursor() as cursor:
            for sql in statements:
                cursor.execute(sql)
            return cursor.fetchall()

    def records(self, sql: str, _: str = "") -> list[dict[str, Any]]:
        """Return a query's rows by lower-case column name."""
        with self.session.cursor(DictCursor) as cursor:
            cursor.execute(sql)
            rows = cursor.fetchall()
        return [{name.lower(): value for name, value in row.items()} for row in rows]

    def governance(self, name: str, kind: str = "table") -> Governance:
        """Return what governs a table or view, policies and grants in order."""
        (row,) = self.run(
            'SELECT CLUSTERING_KEY FROM "MARTS".INFORMATION_SCHEMA.TABLES'
            f" WHERE TABLE_SCHEMA = 'GOVERNED' AND TABLE_NAME = '{name}'"
        )
        found = governance(GOVERNED, name, kind, self.records, clustering=row[0])
        policies = tuple(sorted(found.policies, key=lambda each: each.name))
        grants = tuple(sorted(found.grants, key=lambda each: each.grantee))
        return Governance(policies, found.tags, grants, found.is_secure, found.clustering)


@pytest.fixture(scope="module")
def database(adapted: Emulator) -> Iterator[Database]:
    with adapted.connect() as session:
        opened = Database(session)
        opened.run(*SETTING)
        yield opened


@pytest.fixture
def table(request: pytest.FixtureRequest, database: Database) -> str:
    """Create a governed table, and return its name."""
    name = str(request.node.name).upper()
    t = f'{S}."{name}"'
    database.run(
        f"CREATE TABLE {t} AS SELECT 'a' AS \"A\", 'b' AS \"B\", 'c' AS \"C\"",
        f'ALTER TABLE {t} MODIFY COLUMN "A" SET MASKING POLICY {S}.MASK',
        f'ALTER TABLE {t} MODIFY COLUMN "B" SET MASKING POLICY {S}.MASK_IF USING ("B", "A")',
        f'ALTER TABLE {t} ADD ROW ACCESS POLICY {S}.OWN ON ("C")',
        f"ALTER TABLE {t} SET TAG {S}.PII = 'it\\'s'",
        f"ALTER TABLE {t} MODIFY COLUMN \"A\" SET TAG {S}.PII = 'yes'",
        f'ALTER TABLE {t} CLUSTER BY ("A")',
        f"GRANT INSERT ON TABLE {t} TO ROLE BY_HAND WITH GRANT OPTION",
        f"CREATE STREAM {S}.{name}_STREAM ON TABLE {t}",
    )
    assert database.governance(name) == OF_TABLE
    return name


def test_rows_and_columns_change_nothing(database: Database, table: str) -> None:
    t = f'{S}."{table}"'
    database.run(
        f"INSERT INTO {t} VALUES ('c', 'd', 'e')",
        f"DELETE FROM {t} WHERE \"A\" = 'a'",
        f'ALTER TABLE {t} ADD COLUMN "D" INT',
        f"COMMENT ON TABLE {t} IS 'changed'",
    )
    assert database.governance(table) == OF_TABLE


def test_a_replaced_table_has_only_future_grants(database: Database, table: str) -> None:
    database.run(f'CREATE OR REPLACE TABLE {S}."{table}" AS SELECT 1 AS "A"')
    assert database.governance(table) == Governance(grants=(FUTURE,))
    with pytest.raises(ProgrammingError, match="stale"):
        database.run(f"SELECT SYSTEM$STREAM_HAS_DATA('{S}.{table}_STREAM')")


def test_a_clone_has_its_sources_policies_and_the_targets_grants(
    database: Database, table: str
) -> None:
    clone, t = f"{table}_CLONE", f'{S}."{table}"'
    database.run(f'CREATE TABLE {S}."{clone}" CLONE {t}')
    assert database.governance(clone) == Governance(POLICIES, TAGS, (FUTURE,), clustering='"A"')
    database.run(
        f'CREATE OR REPLACE TABLE {S}."BARE" AS SELECT 1 AS "A"',
        f'CREATE OR REPLACE TABLE {t} CLONE {S}."BARE" COPY GRANTS',
    )
    assert database.governance(table) == Governance(grants=OF_TABLE.grants)
    database.run(f'CREATE TABLE {S}."{clone}_2" CLONE {t} COPY GRANTS')
    assert database.governance(f"{clone}_2").grants == OF_TABLE.grants


def test_a_dropped_table_takes_everything_along(database: Database, table: str) -> None:
    database.run(f'DROP TABLE {S}."{table}"', f'CREATE TABLE {S}."{table}" ("A" VARCHAR)')
    assert database.governance(table) == Governance(grants=(FUTURE,))
    shown = database.records(f"SHOW STREAMS IN SCHEMA {S}")
    (stream,) = [each for each in shown if each["name"] == f"{table}_STREAM"]
    assert stream == {
        "name": f"{table}_STREAM",
        "table_name": f'"MARTS"."GOVERNED"."{table}"',
        "stale": "true",
    }


def test_a_view_is_created_with_its_policies(database: Database) -> None:
    v = f'{S}."V"'
    create = (
        f'CREATE OR REPLACE SECURE VIEW {v} ("A" WITH MASKING POLICY {S}.MASK WITH TAG'
        f" ({S}.PII = 'yes') COMMENT 'its a', \"B\" WITH MASKING POLICY {S}.MASK_IF USING"
        f' ("B", "A"), "C") {{}}COMMENT = \'d\' WITH ROW ACCESS POLICY {S}.OWN ON ("C")'
        f" WITH TAG ({S}.PII = 'it\\'s') AS SELECT 'a', 'b', 'c'"
    )
    future = Grant("SELECT", 'ROLE "VIEWER"')
    database.run(create.format(""))
    governed = Governance(POLICIES, TAGS, (future,), is_secure=True)
    assert database.governance("V", "view") == governed
    assert database.run(f"SELECT * FROM {v}") == [("a", "b", "c")]
    (row,) = database.run(
        "SELECT COMMENT FROM \"MARTS\".INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'V'"
        " AND COLUMN_NAME = 'A'"
    )
    assert row == ("its a",)
    database.run(f"GRANT REFERENCES ON VIEW {v} TO ROLE BY_HAND", create.format("COPY GRANTS "))
    grants = (Grant("REFERENCES", 'ROLE "BY_HAND"'), future)
    assert database.governance("V", "view") == Governance(POLICIES, TAGS, grants, is_secure=True)
    database.run(f"CREATE OR REPLACE VIEW {v} AS SELECT 1 AS A")
    assert database.governance("V", "view") == Governance(grants=(future,))


def test_a_new_schema_has_the_databases_future_grants(database: Database) -> None:
    s = '"MARTS"."LATER"'
    database.run(
        'GRANT USAGE, MONITOR ON FUTURE SCHEMAS IN DATABASE "MARTS"'
        ' TO DATABASE ROLE "MARTS"."READER"',
        f"CREATE SCHEMA {s}",
        'REVOKE USAGE, MONITOR ON FUTURE SCHEMAS IN DATABASE "MARTS"'
        ' FROM DATABASE ROLE "MARTS"."READER"',
    )
    show = f"SHOW GRANTS ON SCHEMA {s}"
    found = [(row["privilege"], row["grantee_name"]) for row in database.records(show)]
    assert found == [
        ("OWNERSHIP", "MARTS_ROLE"),
        ("MONITOR", "MARTS.READER"),
        ("USAGE", "MARTS.READER"),
    ]
    database.run(f'REVOKE ALL PRIVILEGES ON SCHEMA {s} FROM DATABASE ROLE "MARTS"."READER"')
    assert len(database.records(show)) == 1
    assert database.records('SHOW FUTURE GRANTS IN DATABASE "MARTS"') == []
    assert len(database.records(f"SHOW FUTURE GRANTS IN SCHEMA {S}")) == 2


def test_keys_are_recorded_and_not_enforced(database: Database) -> None:
    t = f'{S}."KEYED"'
    database.run(f'CREATE TABLE {t} AS SELECT \'a\' AS "A", 1 AS "B"')
    database.run(*declare_key(t, None, ("b", "a")))
    found = keys(GOVERNED, database.records)["KEYED"]
    assert found == Key(("B", "A"))
    database.run(f"INSERT INTO {t} VALUES ('a', 1)")
    with pytest.raises(IntegrityError, match="non-nullable"):
        database.run(f"INSERT INTO {t} VALUES (NULL, 1)")
    database.run(*drop_key(t, found, ("a",)), f'ALTER TABLE {t} ADD PRIMARY KEY ("A")')
    found = keys(GOVERNED, database.records)["KEYED"]
    assert found == Key(("A",), is_relied_on=False)
    database.run(*declare_key(t, found, ("a",)))
    assert keys(GOVERNED, database.records)["KEYED"] == Key(("A",))
    database.run(f'CREATE OR REPLACE TABLE {t} AS SELECT 1 AS "A"')
    assert "KEYED" not in keys(GOVERNED, database.records)


def test_a_stream_sees_what_dml_does(database: Database, table: str) -> None:
    t, stream = f'{S}."{table}"', f'{S}."{table}_STREAM"'
    assert database.run(f"SELECT SYSTEM$STREAM_HAS_DATA('{stream}')") == [(False,)]
    database.run(f"INSERT INTO {t} VALUES ('c', 'd', 'e'), ('f', 'g', 'h')")
    assert database.run(f"SELECT METADATA$ACTION FROM {stream}") == [("INSERT",)] * 2
    database.run(f"DELETE FROM {t} WHERE \"A\" = 'a'")
    assert database.run(f"SELECT METADATA$ACTION FROM {stream}")[2:] == [("DELETE",)]
    assert database.run(f"SELECT SYSTEM$STREAM_HAS_DATA('{stream}')") == [(True,)]
    database.run(
        f"CREATE OR REPLACE STREAM {stream} ON TABLE {t}",
        "BEGIN TRANSACTION",
        f"INSERT OVERWRITE INTO {t} SELECT * FROM {t}",
    )
    assert database.run(f"SELECT METADATA$ACTION FROM {stream}") == [
        *[("DELETE",)] * 2,
        *[("INSERT",)] * 2,
    ]
    database.run("ROLLBACK")
    assert database.run(f"SELECT SYSTEM$STREAM_HAS_DATA('{stream}')") == [(False,)]
    assert database.governance(table) == OF_TABLE
    database.run(f"DROP STREAM {stream}")
    with pytest.raises(ProgrammingError, match="does not exist"):
        database.run(f"SELECT METADATA$ACTION FROM {stream}")


def test_a_dropped_column_takes_its_policy_along(database: Database, table: str) -> None:
    t = f'{S}."{table}"'
    with pytest.raises(ProgrammingError, match="'C' is used in a policy"):
        database.run(f'ALTER TABLE {t} DROP COLUMN "C"')
    database.run(f'ALTER TABLE {t} DROP COLUMN "B"')
    policies = (POLICIES[0], POLICIES[2])
    assert database.governance(table) == replace(OF_TABLE, policies=policies)


def test_a_policy_and_a_tag_can_be_looked_up(database: Database) -> None:
    (policy,) = database.records(f"DESCRIBE MASKING POLICY {S}.MASK_IF")
    assert policy["signature"] == "(V VARCHAR, W VARCHAR)"
    with pytest.raises(ProgrammingError, match="does not exist or not authorized"):
        database.run(f"DESCRIBE MASKING POLICY {S}.GONE")
    database.run(f"CREATE TAG {S}.KIND ALLOWED_VALUES 'a', 'b'")
    (tag,) = database.records(f"SHOW TAGS LIKE 'KIND' IN SCHEMA {S}")
    assert (tag["name"], tag["allowed_values"]) == ("KIND", '["a", "b"]')
    (tag,) = database.records(f"SHOW TAGS LIKE 'pii' IN SCHEMA {S}")
    assert tag["allowed_values"] is None
    database.run(f"DROP TAG {S}.KIND")
    assert not database.records(f"SHOW TAGS LIKE 'KIND' IN SCHEMA {S}")


def test_an_unknown_column_cannot_be_governed(database: Database, table: str) -> None:
    for what in (f"SET MASKING POLICY {S}.MASK", f"SET TAG {S}.PII = 'yes'"):
        with pytest.raises(ProgrammingError, match="invalid identifier 'X'"):
            database.run(f'ALTER TABLE {S}."{table}" MODIFY COLUMN "X" {what}')


def test_an_unknown_policy_cannot_be_set(database: Database, table: str) -> None:
    database.run(f"DROP MASKING POLICY {S}.MASK_IF")
    with pytest.raises(ProgrammingError, match="MASK_IF"):
        database.run(f'ALTER TABLE {S}."{table}" MODIFY COLUMN "A" SET MASKING POLICY {S}.MASK_IF')
    database.run(SETTING[2])
