"""Policies, tags, grants, comments and streams of published marts are the same after a run."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector import DictCursor

from backends.snowflake_governance import Governance, governance
from backends.snowflake_keys import Key, keys
from backends.snowflake_sql import Namespace
from support.account import Account
from support.processes import Result
from support.workshop import CUSTOMERS, ORDERS, SHOP, Workshop

DONE, FAILED, ASKED_WRONGLY = 0, 1, 2
GOVERNED = '''"""A mart that somebody governs."""

from marts import date, float64, int64, mart, source, string

customers = source(
    "customers",
    doc="C.",
    grain="customer_id",
    columns=[string("customer_id"), string("name", null=True)],
)


@mart(grain="customer_id", columns=[{columns}])
def governed(customers, as_of):
    """Customers, on a day."""
    n = customers.count()
    return customers.mutate(day=as_of.date, n=n, more=n)
'''
SEEN = '''"""A view that somebody governs."""

from marts import mart, string


@mart(grain="customer_id", columns=[{seen}], materialized="view")
def seen(governed):
    """Customers {view}."""
    return governed.filter(governed.customer_id != "{view}")
'''
ID, NAME = 'string("customer_id", doc="Who.")', 'string("name", null=True, doc="Their name.")'
DAY, N = 'date("day", doc="When.")', 'int64("n", doc="How many.")'
PLAIN = (ID, NAME, DAY, N)


@dataclass(frozen=True)
class Standing:
    """What must be the same: who governs what, comments, the declared key."""

    governance: Governance
    comments: dict[str, str]
    key: Key | None = None


@dataclass(frozen=True)
class Project:
    """A package in a folder, which is published in a schema of its own."""

    account: Account
    folder: Path
    schema: str

    @property
    def namespace(self) -> Namespace:
        """The marts' schema, in which the policies are as well."""
        return Namespace(self.account.schema(self.schema), self.account.database)

    def run(
        self,
        *columns: str,
        day: str = "2025-06-30",
        view: str = "c9",
        more: tuple[str, ...] = (),
    ) -> Result:
        """Run the marts as they are with these columns and this definition of the view."""
        chosen = columns or PLAIN
        seen = ", ".join(each for each in (ID, NAME) if each in chosen)
        package = self.folder / "governed_marts"
        (package / "governed.py").write_text(GOVERNED.format(columns=", ".join(chosen)), "utf-8")
        (package / "seen.py").write_text(SEEN.format(seen=seen, view=view), "utf-8")
        location = self.account.run_words(schema=self.schema, sources="GOVERNED_SHOP")
        command = ("run", "--package", "governed_marts", "--as-of", day, *location, *more)
        return self.account.call(*command, cwd=self.folder)

    def location(self, name: str) -> str:
        """Return a mart's qualified name."""
        return self.account.location(self.schema, name)

    def records(self, sql: str, _: str = "") -> list[dict[str, Any]]:
        """Return a query's rows by lower-case column name."""
        with self.account.session.cursor(DictCursor) as cursor:
            cursor.execute(sql)
            rows: list[Any] = cursor.fetchall()
        return [{name.lower(): value for name, value in row.items()} for row in rows]

    def standing(self, name: str, kind: str = "table") -> Standing:
        """Return what must be the same of a mart after a run as before."""
        tables = self.account.catalog(
            "tables", self.schema, "TABLE_NAME", "CLUSTERING_KEY", "COMMENT"
        )
        ((_, clustering, comment),) = [row for row in tables if row[0] == name.upper()]
        columns = self.account.catalog(
            "columns", self.schema, "TABLE_NAME", "COLUMN_NAME", "COMMENT"
        )
        comments = {column: text for table, column, text in columns if table == name.upper()}
        found = governance(self.namespace, name, kind, self.records, clustering=clustering)
        found = replace(
            found,
            policies=tuple(sorted(found.policies, key=lambda each: each.name)),
            grants=tuple(sorted(found.grants, key=lambda each: (each.grantee, each.privilege))),
        )
        key = keys(self.namespace, self.records).get(name.upper())
        return Standing(found, comments | {"": comment}, key)

    def is_quiet(self) -> bool:
        """Tell whether the table's stream has seen no change."""
        stream = self.location("governed_stream")
        ((has_data,),) = self.account.rows(f"SELECT SYSTEM$STREAM_HAS_DATA('{stream}')")
        return not has_data


@pytest.fixture(scope="module", autouse=True)
def sources(account: Account, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Load the sources."""
    shop = Workshop(tmp_path_factory.mktemp("governed_shop"), SHOP)
    shop.write(customers=CUSTOMERS, orders=ORDERS)
    words = (*account.load_words("GOVERNED_SHOP"), "--data", shop.data)
    assert account.call(*words, cwd=shop.folder).returncode == DONE


def project_in(account: Account, schema: str, folder: Path) -> Project:
    """Return the package in a folder, with nothing published."""
    (folder / "governed_marts").mkdir()
    (folder / "governed_marts/__init__.py").touch()
    return Project(account, folder, schema)


SETTING = """\
CREATE SCHEMA IF NOT EXISTS {schema}
CREATE MASKING POLICY {schema}.MASK AS (V VARCHAR) RETURNS VARCHAR -> V
CREATE ROW ACCESS POLICY {schema}.OWN AS (V VARCHAR) RETURNS BOOLEAN -> TRUE
CREATE TAG {schema}.PII
GRANT SELECT ON FUTURE TABLES IN SCHEMA {schema} TO ROLE PUBLIC
GRANT SELECT ON FUTURE VIEWS IN SCHEMA {schema} TO ROLE PUBLIC"""
GOVERNING = """\
ALTER {kind} {name} MODIFY COLUMN NAME SET MASKING POLICY {schema}.MASK
ALTER {kind} {name} ADD ROW ACCESS POLICY {schema}.OWN ON (CUSTOMER_ID)
ALTER {kind} {name} SET TAG {schema}.PII = 'it\\'s'
ALTER {kind} {name} MODIFY COLUMN NAME SET TAG {schema}.PII = 'yes'
GRANT REFERENCES ON {kind} {name} TO ROLE PUBLIC WITH GRANT OPTION"""


@pytest.fixture
def project(account: Account, own_schema: str, tmp_path: Path) -> Project:
    """Publish the marts, and govern them."""
    project = project_in(account, own_schema, tmp_path)
    for sql in SETTING.format(schema=project.namespace.sql).splitlines():
        account.rows(sql)
    first = project.run()
    assert first.returncode == DONE, first.stderr
    for kind, name in (("TABLE", "governed"), ("VIEW", "seen")):
        words = {"kind": kind, "name": project.location(name), "schema": project.namespace.sql}
        for sql in GOVERNING.format(**words).splitlines():
            account.rows(sql)
    table = project.location("governed")
    account.rows(f"ALTER TABLE {table} CLUSTER BY (DAY)")
    account.rows(f"CREATE STREAM {project.location('governed_stream')} ON TABLE {table}")
    return project


def test_a_run_keeps_everything_and_declares_the_grain(project: Project) -> None:
    table, view = project.standing("governed"), project.standing("seen", "view")
    assert table.key == Key(("CUSTOMER_ID",))
    assert len(table.governance.policies) == len(table.governance.tags) == 2
    assert len(table.governance.grants) == len(view.governance.grants) == 2
    assert table.governance.clustering
    assert table.comments["NAME"] == "Their name."
    same = project.run(more=("--force",))
    assert same.returncode == DONE, same.stderr
    assert project.is_quiet()
    other_day = project.run(day="2025-07-01")
    assert other_day.returncode == DONE, other_day.stderr
    assert not project.is_quiet()
    assert project.standing("governed") == table
    assert project.standing("seen", "view") == view


def test_an_added_column_leaves_the_others_as_they_were(project: Project) -> None:
    before = project.standing("governed")
    added = project.run('int64("more", doc="The same.")', *PLAIN)
    assert added.returncode == DONE, added.stderr
    comments = before.comments | {"MORE": "The same."}
    assert project.standing("governed") == replace(before, comments=comments)


def test_a_reshaped_mart_is_governed_as_before(project: Project) -> None:
    table, view = project.standing("governed"), project.standing("seen", "view")
    number = 'float64("n", doc="How many.")'
    wanted = ("--reshape", "governed", "--reshape", "seen")
    done = project.run(ID, NAME, DAY, number, view="c8", more=wanted)
    assert done.returncode == DONE, done.stderr
    assert project.standing("governed") == table
    comments = {"": "Customers c8."}
    assert project.standing("seen", "view") == replace(view, comments=view.comments | comments)


@pytest.mark.parametrize("n", [N, 'float64("n", doc="How many.")'], ids=["drop", "replace"])
def test_a_policy_that_goes_with_its_column_is_named(project: Project, n: str) -> None:
    policies = project.namespace.sql
    wanted = ("--reshape", "governed", "--reshape", "seen")
    done = project.run(ID, DAY, n, more=wanted)
    assert done.returncode == DONE, done.stderr
    line = re.escape(f'masking policy {policies}."MASK" goes with column NAME')
    (names,) = re.findall(rf"alter +(.+): {line}", done.stdout)
    assert sorted(names.split(", ")) == ["governed", "seen"]
    (left,) = project.standing("governed").governance.policies
    assert left.name == f'{policies}."OWN"'


def test_nobody_else_may_use_the_candidates_schema(account: Account, project: Project) -> None:
    candidates = f'"{account.database}"."{account.schema(f"{project.schema}_CANDIDATES")}"'
    account.rows(f"GRANT USAGE ON SCHEMA {candidates} TO ROLE PUBLIC")
    refused = project.run(day="2025-07-01")
    assert refused.returncode == FAILED
    hint = f'hint: REVOKE ALL PRIVILEGES ON SCHEMA {candidates} FROM ROLE "PUBLIC"'
    assert hint in refused.stderr + refused.stdout
    account.rows(hint.removeprefix("hint: "))
    again = project.run(day="2025-07-01")
    assert again.returncode == DONE, again.stderr


def test_future_grants_do_not_open_a_new_candidates_schema(
    emulated: Account, own_schema: str, tmp_path: Path
) -> None:
    project = project_in(emulated, own_schema, tmp_path)
    future = f'USAGE ON FUTURE SCHEMAS IN DATABASE "{emulated.database}"'
    emulated.rows(f"GRANT {future} TO ROLE READER")
    done = project.run()
    emulated.rows(f"REVOKE {future} FROM ROLE READER")
    assert done.returncode == DONE, done.stderr
    schema = emulated.schema(f"{own_schema}_CANDIDATES")
    shown = project.records(f'SHOW GRANTS ON SCHEMA "{emulated.database}"."{schema}"')
    assert [row["privilege"] for row in shown] == ["OWNERSHIP"]


KINDS = {
    "is_dynamic = 'YES'": "GOVERNED is a dynamic table",
    "is_iceberg = 'YES'": "GOVERNED is an Iceberg table",
    "table_type = 'EXTERNAL TABLE'": "GOVERNED is an external table",
    "table_type = 'MATERIALIZED VIEW'": "GOVERNED is a materialized view",
}


def test_what_must_not_be_replaced_is_refused_by_name(emulated: Account, project: Project) -> None:
    store = f'"{emulated.database}"._fs_information_schema._overrides'
    schema = emulated.schema(project.schema)
    emulated.rows(f"INSERT INTO {store} (table_schema, table_name) VALUES ('{schema}', 'GOVERNED')")
    before = emulated.contents(project.schema)
    for what, words in KINDS.items():
        column = what.split()[0]
        emulated.rows(f"UPDATE {store} SET {what} WHERE table_schema = '{schema}'")
        with emulated.recorded() as sent:
            refused = project.run(day="2025-07-01")
        emulated.rows(f"UPDATE {store} SET {column} = NULL WHERE table_schema = '{schema}'")
        assert refused.returncode == ASKED_WRONGLY, refused.stderr
        assert words in refused.stderr
        assert not [each["sql"] for each in sent if "AS\nSELECT" in each["sql"]]
    assert emulated.contents(project.schema) == before
