"""What the marts are measured against computes and checks the same, without dbt or SQLMesh."""

from collections.abc import Iterator
from datetime import date
from graphlib import TopologicalSorter
from pathlib import Path

import duckdb
import pytest

from benchmarks import sqlmesh_project as project
from benchmarks.agreement import TABLES, disagreements
from benchmarks.run_sql import prepare, query_of
from marts.core.authoring.columns import Column
from support.engines import GRAPH
from support.paths import BUNDLED, TESTS

AS_OF = date.fromisoformat("2025-06-30")


@pytest.fixture(scope="session")
def by_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the database that dbt's models make of the bundled data."""
    database = tmp_path_factory.mktemp("models") / "rival.duckdb"
    texts = project.models()
    order = TopologicalSorter({name: project.REF.findall(text) for name, text in texts.items()})
    with duckdb.connect(str(database)) as connection:
        _attach_sources(connection)
        for name in order.static_order():
            connection.execute(f"CREATE TABLE {name} AS {project.sql_of(texts[name], AS_OF)}")
    return database


def _attach_sources(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("ATTACH ':memory:' AS raw")
    for name in GRAPH.project.sources:
        connection.execute(f"CREATE VIEW raw.main.{name} AS {query_of(name, BUNDLED)}")


def test_the_models_of_dbt_give_the_tables_of_the_marts(
    by_models: Path, finished_run: Path
) -> None:
    assert disagreements(finished_run / "target" / "marts.duckdb", by_models) == []


@pytest.mark.parametrize("script", ["hand_written", "four_scans"])
def test_hand_written_sql_gives_the_tables_of_the_marts(
    script: str, tmp_path: Path, finished_run: Path
) -> None:
    database = tmp_path / "rival.duckdb"
    with duckdb.connect(str(database)) as connection:
        prepare(connection, BUNDLED)
        connection.execute((TESTS / "benchmarks" / f"{script}.sql").read_text("utf-8"))
    assert disagreements(finished_run / "target" / "marts.duckdb", database) == []


def test_another_number_is_a_disagreement(by_models: Path, tmp_path: Path) -> None:
    marts, rival = tmp_path / "marts.duckdb", tmp_path / "rival.duckdb"
    for database, schema in ((marts, "gold"), (rival, "main")):
        with duckdb.connect(str(database)) as connection:
            connection.execute(
                f"ATTACH '{by_models}' AS made; CREATE SCHEMA IF NOT EXISTS {schema}"
            )
            for name in TABLES:
                connection.execute(f"CREATE TABLE {schema}.{name} AS FROM made.main.{name}")
    assert disagreements(marts, rival) == []
    with duckdb.connect(str(rival)) as connection:
        connection.execute(
            "UPDATE metric_customer_ltv SET lifetime_value = lifetime_value + 0.01"
            " WHERE customer_id = (SELECT min(customer_id) FROM metric_customer_ltv)"
        )
    (line,) = disagreements(marts, rival)
    assert "metric_customer_ltv" in line
    assert "lifetime_value" in line


@pytest.mark.parametrize("name", TABLES)
def test_dbt_checks_what_the_contract_says(name: str) -> None:
    checks = {
        (check.kind, check.column, str({**check.arguments}))
        for check in project.tables_of("models")[name]
        if check.column
    }
    columns = GRAPH.project.marts[name].columns
    missing = {found for column in columns for found in _of_contract(column)} - checks
    assert not missing


def _of_contract(column: Column) -> Iterator[tuple[str, str, str]]:
    if not column.null:
        yield "not_null", column.name, "{}"
    if column.unique:
        yield "unique", column.name, "{}"
    if column.values:
        yield "accepted_values", column.name, str({"values": [*column.values]})
    bounds = {"min_value": column.at_least, "max_value": column.at_most}
    if given := {key: bound for key, bound in bounds.items() if bound is not None}:
        yield "in_range", column.name, str(given)


def test_the_queries_among_the_tests_find_nothing(by_models: Path) -> None:
    queries = sorted((project.DBT / "tests").glob("*.sql"))
    tables = {*project.tables_of("models"), *project.tables_of("sources")}
    with duckdb.connect() as connection:
        _attach_sources(connection)
        connection.execute(f"ATTACH '{by_models}' (READ_ONLY)")
        connection.execute(f"USE {by_models.stem}")
        for query in queries:
            assert query.stem.split("__")[0] in tables
            assert connection.sql(project.sql_of(query.read_text("utf-8"), AS_OF)).fetchall() == []


@pytest.mark.parametrize("checked", [True, False])
def test_the_project_of_sqlmesh_has_the_same_models_and_checks(
    checked: bool, tmp_path: Path
) -> None:
    files = {"database": tmp_path / "rival.duckdb", "sources": tmp_path / "raw.duckdb"}
    project.write_project(tmp_path, **files, as_of=AS_OF, sources_checked=checked)
    written = {path.stem: path.read_text("utf-8") for path in tmp_path.rglob("*.sql")}
    assert not [name for name, text in written.items() if "{{" in text]
    assert project.models().keys() <= written.keys()
    profile = written["customer_360_profile"]
    assert "in_v := 18, max_v := 100" in profile
    assert "same_count(to := main.int_customers)" in profile
    assert "depends_on [main.int_customers]" in profile
    external = (tmp_path / "external_models.yaml").read_text("utf-8")
    assert ("dim_customer__one_current_version" in external) == checked
