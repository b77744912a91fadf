"""What only an account can prove; the rest of the end-to-end tests run there too, when asked to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector import DictCursor

from backends.snowflake_doctor import EXPERIMENTS, SnowflakeDoctor
from marts.core.authoring.tables import Mart, column_comments
from reference.example import write_small_star
from support.account import Account, Row
from support.doctored import doctor
from support.engines import GRAPH, documented_graph

MARTS = {name: mart for name, mart in GRAPH.project.marts.items() if not mart.is_temporary}
# By the type of a contract, as DESCRIBE TABLE says it.
TYPES = {
    "string": r"VARCHAR\(\d+\)",
    "int64": r"NUMBER\(38,0\)",
    "float64": "FLOAT",
    "date": "DATE",
    "boolean": "BOOLEAN",
    "timestamp": r"TIMESTAMP_NTZ\(9\)",
}


def described_type(kind: str) -> str:
    """Return a pattern of what DESCRIBE TABLE says of a contract's type."""
    found = re.fullmatch(r"decimal\((\d+), (\d+)\)", kind)
    return rf"NUMBER\({found[1]},{found[2]}\)" if found else TYPES[kind]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small star."""
    folder = tmp_path_factory.mktemp("live")
    write_small_star(folder)
    return folder


@pytest.fixture(scope="module")
def published(live: Account, data: Path) -> Account:
    """Return the account, in which the star's marts are published."""
    loaded = live.call(*live.load_words("LIVE"), "--data", data, cwd=data)
    assert loaded.returncode == 0, loaded.stderr
    run(live, data)
    return live


def run(account: Account, folder: Path) -> None:
    """Publish all marts beside their sources."""
    location = account.run_words(schema="LIVE", sources="LIVE")
    done = account.call("run", *location, "--as-of", "2025-06-30", cwd=folder)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def published_again(published: Account, data: Path) -> Account:
    """Return the account, in which all marts were granted to everybody, and published again."""
    for name, mart in MARTS.items():
        location = published.location("LIVE", name)
        published.rows(f"GRANT SELECT ON {mart.materialized} {location} TO ROLE PUBLIC")
    run(published, data)
    return published


def described(account: Account, mart: Mart) -> list[Row]:
    """Return name, type and comment of each column, as DESCRIBE says."""
    kind = mart.materialized.upper()
    sql = f"DESCRIBE {kind} {account.location('LIVE', mart.name)}"
    return [(row["name"], row["type"], row["comment"]) for row in named_rows(account, sql)]


def named_rows(account: Account, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a statement that says what its columns are."""
    with account.session.cursor(DictCursor) as cursor:
        cursor.execute(sql)
        return list(cursor)


@pytest.mark.parametrize("name", MARTS)
def test_describe_table_says_what_the_contract_says(name: str, published: Account) -> None:
    rows = described(published, MARTS[name])
    columns = MARTS[name].columns
    assert [row[0] for row in rows] == [column.name.upper() for column in columns]
    for (_, found, _), column in zip(rows, columns, strict=True):
        assert re.fullmatch(described_type(column.type), found), column


@pytest.mark.parametrize("name", MARTS)
def test_comments_of_columns_survive_publishing(name: str, published: Account) -> None:
    found = {column: text for column, _, text in described(published, MARTS[name]) if text}
    expected = column_comments(documented_graph().project.marts[name])
    assert found == {column.upper(): text for column, text in expected.items()}


@pytest.mark.parametrize("name", MARTS)
def test_grants_survive_publishing(name: str, published_again: Account) -> None:
    location = published_again.location("LIVE", name)
    rows = named_rows(published_again, f"SHOW GRANTS ON {MARTS[name].materialized} {location}")
    assert ("SELECT", "PUBLIC") in {(row["privilege"], row["grantee_name"]) for row in rows}


def test_tables_are_transient_and_kept_for_a_day(published: Account) -> None:
    found = published.catalog("tables", "LIVE", "TABLE_NAME", "IS_TRANSIENT", "RETENTION_TIME")
    tables = {name.upper() for name, mart in MARTS.items() if mart.materialized == "table"}
    assert {row[1:] for row in found if row[0] in tables} == {("YES", 1)}


def test_every_statement_is_in_the_query_history_with_its_tag(published: Account) -> None:
    rows = published.rows(
        f'SELECT QUERY_TAG FROM TABLE("{published.database}".INFORMATION_SCHEMA.'
        "QUERY_HISTORY_BY_USER(RESULT_LIMIT => 1000)) WHERE QUERY_TEXT ILIKE 'INSERT OVERWRITE%'"
        f" AND QUERY_TEXT ILIKE '%{published.schema('LIVE')}%'"
    )
    assert rows
    assert all('"step": "publish"' in tag for (tag,) in rows if tag != "marts, tests")


@pytest.fixture(scope="module")
def opened(published: Account) -> Iterator[SnowflakeDoctor]:
    """Give a doctor of the account, in which the star's marts are published."""
    with doctor(published, schema="LIVE", source_schema="LIVE") as found:
        yield found


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda each: each.name)
def test_the_doctor_finds_nothing_wrong(experiment: Any, opened: SnowflakeDoctor) -> None:
    diagnosis = opened.examine(experiment)
    assert diagnosis.finding.verdict != "FAIL", diagnosis


OTHER_KINDS = {
    "a dynamic table": (
        "CREATE DYNAMIC TABLE {name} TARGET_LAG = '1 day' WAREHOUSE = {warehouse} AS"
        " SELECT * FROM {source}"
    ),
    "a materialized view": "CREATE MATERIALIZED VIEW {name} AS SELECT * FROM {source}",
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_what_must_not_be_replaced_is_refused(kind: str, published: Account, data: Path) -> None:
    schema, name = kind.upper().replace(" ", "_"), next(iter(MARTS))
    ((warehouse,),) = published.rows("SELECT CURRENT_WAREHOUSE()")
    published.rows(f'CREATE SCHEMA "{published.database}"."{published.schema(schema)}"')
    names = {"name": published.location(schema, name), "warehouse": f'"{warehouse}"'}
    source = published.location("LIVE", "dim_customer")
    published.rows(OTHER_KINDS[kind].format(**names, source=source))
    location = published.run_words(schema=schema, sources="LIVE")
    refused = published.call("run", *location, "--adopt", name, cwd=data)
    assert refused.returncode == 2
    assert f"{name.upper()} is {kind}" in refused.stderr
