"""A project in Python: it does what the command line does, and returns what that prints."""

from __future__ import annotations

import asyncio
import datetime
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any, assert_type

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marts import Project
from marts.core.api import keywords
from marts.core.api.reports import RunReport
from marts.core.api.status import Status
from marts.core.console.commands.export import command as of_export
from marts.core.console.commands.run import command as of_run
from marts.core.console.commands.test import command as of_test
from marts.core.console.options import FIELDS
from marts.core.errors import (
    DefinitionError,
    EngineError,
    FailedChecksError,
    MartsWarning,
    SourceError,
    UsageError,
)
from support.processes import call_marts

SOURCES = """
from marts import money, source, string

orders = source(
    "orders", doc="Orders.", grain="order_id",
    columns=[string("order_id"), string("customer"), money("amount")],
)
"""
TOTALS = """
from marts import mart, money, row_check, string


@mart(
    grain="customer",
    columns=[string("customer"), money("total", default=0)],
    checks=[row_check("small", offending=lambda t: t.total > 99, severity="SEVERITY")],
)
def totals(orders):
    \"\"\"What each customer has ordered.\"\"\"
    return orders.group_by("customer").agg(total=orders.amount.sum() * FACTOR)
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder."""
    monkeypatch.delenv("MARTS_PACKAGE", raising=False)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")


def written(folder: Path, *, factor: str = "1", severity: str = "error") -> Path:
    """Write a project whose mart multiplies the amounts: c1 has 3.00, c2 has 4.50."""
    package = folder / "shop_marts"
    package.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(
        '[tool.marts]\npackage = "shop_marts"\ndata = "data"\n', "utf-8"
    )
    (package / "__init__.py").touch()
    (package / "sources.py").write_text(SOURCES, "utf-8")
    text = TOTALS.replace("FACTOR", factor).replace("SEVERITY", severity)
    (package / "totals.py").write_text(text, "utf-8")
    (folder / "data").mkdir(exist_ok=True)
    amounts = {"o1": ("c1", "1.00"), "o2": ("c1", "2.00"), "o3": ("c2", "4.50")}
    pq.write_table(
        pa.table(
            {
                "order_id": list(amounts),
                "customer": [customer for customer, _ in amounts.values()],
                "amount": pa.array([Decimal(a) for _, a in amounts.values()], pa.decimal128(18, 2)),
            }
        ),
        folder / "data/orders.parquet",
    )
    return folder


def total(project: Project, customer: str = "c1") -> Decimal:
    """Return a published number."""
    value: Decimal = project.show("totals", where=f"customer = '{customer}'")[0]["total"]
    return value


def test_a_checkout_is_refused_where_python_finds_another_backends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "backends").mkdir()
    (tmp_path / "backends/__init__.py").touch()
    monkeypatch.delitem(sys.modules, "backends")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match=f"Python imports backends from {tmp_path}/backends"):
        Project.load(written(tmp_path / "shop"))


def test_a_project_runs_tests_compiles_and_shows(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    project = Project.load(written(tmp_path / "shop"))
    planned = project.run(dry_run=True)
    assert (planned.status, planned.ok, planned.built) == ("planned", True, ())
    done = assert_type(project.run(as_of=datetime.date(2025, 6, 30)), RunReport)
    assert (done.status, done.ok, done.built) == ("published", True, ("totals",))
    assert done.as_of == datetime.date(2025, 6, 30)
    assert [(each.name, each.kind, each.rows) for each in done.tables] == [
        ("orders", "source", 3),
        ("totals", "table", 2),
    ]
    assert done.raise_for_status() is done
    assert done.document["run_id"] == done.run_id
    assert project.run(as_of="2025-06-30").unchanged == ("totals",)
    assert project.test().status == "checked"
    assert project.test(sources=True).tables[0].name == "orders"
    status = assert_type(project.status(limit=1), Status)
    assert status.published == {"totals": datetime.date(2025, 6, 30)}
    assert [run["status"] for run in status.runs] == ["unchanged"]
    assert "ok    20" in repr(status)
    assert "<pre>" in status._repr_html_()
    sql = project.compile("totals", dialect="snowflake")
    assert list(sql) == ["totals"]
    assert '"GOLD"."ORDERS"' in sql["totals"]
    rows = project.show("totals", order_by="total desc", limit=1)
    assert list(rows) == [{"customer": "c2", "total": Decimal("4.50")}]
    assert (len(rows), rows.total) == (1, 2)
    assert project.marts["totals"].columns == {"customer": "string", "total": "decimal(18, 2)"}
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert capfd.readouterr() == ("", "")


def test_rows_are_exported_to_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    project = Project.load(written(tmp_path / "shop"))
    project.run(as_of="2025-06-30")
    file = tmp_path / "totals.parquet"
    done = project.export("totals", file, order_by="total desc", limit=1, columns=["total"])
    assert (done.rows, done.total, done.as_of) == (1, 2, datetime.date(2025, 6, 30))
    assert pq.read_table(file).to_pylist() == [{"total": Decimal("4.50")}]
    with pytest.raises(UsageError, match="exists"):
        project.export("totals", str(file))
    assert project.export("totals", file, overwrite=True).rows == 2
    assert pq.read_table(file).column_names == ["customer", "total"]
    assert capfd.readouterr() == ("", "")


def test_rows_are_as_of_the_date_of_the_mart_not_of_a_source_of_its_name(tmp_path: Path) -> None:
    folder = written(tmp_path / "shop")
    mart = folder / "shop_marts/totals.py"
    mart.write_text(mart.read_text("utf-8").replace("checks=", 'group="z", checks='), "utf-8")
    project = Project.load(folder)
    project.run(as_of="2025-06-30")
    with duckdb.connect(str(folder / "target/marts.duckdb")) as connection:
        # Another package has a source that is called like the mart.
        connection.execute("CREATE TABLE gold.marts_state AS FROM gold.marts_state__z")
        connection.execute(
            "UPDATE gold.marts_state SET package = 'other', kind = 'source', as_of = '2020-01-31'"
        )
    assert len(project.show("totals", as_of="2025-06-30")) == 2
    with pytest.raises(UsageError, match="is published as of 2025-06-30, not 2020-01-31"):
        project.show("totals", as_of="2020-01-31")


def test_what_is_returned_prints_as_the_command_line_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path / "shop", severity="warn", factor="30")
    monkeypatch.chdir(folder)
    project = Project.load()

    def same(returned: object, *words: str) -> None:
        said = call_marts(*words, cwd=folder, MARTS_PACKAGE="shop_marts")
        lines = [line.split() for line in str(returned).splitlines()]
        printed = [line.split() for line in (said.stdout + said.stderr).splitlines()]
        assert lines == [line for line in printed if line], words

    same(project.marts, "ls")
    same(project.compile(dialect="snowflake"), "compile", "--dialect", "snowflake")
    project.run()
    same(project.show("totals", limit=1), "show", "totals", "--limit", "1")


def test_what_is_returned_is_a_table_or_text_in_a_notebook(tmp_path: Path) -> None:
    project = Project.load(written(tmp_path / "shop"))
    report = project.run()
    assert '<span style="color:green">ok    totals' in report._repr_html_()
    rows = project.show("totals", limit=1)._repr_html_()
    assert '<td style="text-align:left">c1</td><td style="text-align:right">3.00</td>' in rows
    assert "<p>1 of 2 rows</p>" in rows
    assert "<td" in project.marts._repr_html_()
    assert "<pre>-- totals" in project.compile()._repr_html_()


def test_rows_become_arrow_and_pandas_with_the_types_of_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.load(written(tmp_path / "shop"))
    project.run()
    rows = project.show("totals", columns=["total", "customer"])
    table = rows.to_arrow()
    assert table.schema == pa.schema([("total", pa.decimal128(18, 2)), ("customer", pa.string())])
    assert rows.to_pandas()["customer"].tolist() == ["c1", "c2"]
    assert project.show("totals", where="total < 0").to_arrow().schema.names == [
        "customer",
        "total",
    ]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="needs pandas"):
        rows.to_pandas()


def test_a_failed_check_is_a_report_and_an_exception_for_those_who_ask(tmp_path: Path) -> None:
    project = Project.load(written(tmp_path / "shop", factor="50"))
    report = project.run()
    assert (report.status, report.ok, report.error) == ("failed", False, None)
    assert [str(check) for check in report.failures] == ["totals.small"]
    assert report.failures[0].sample[0]["customer"] == "c1"
    assert "FAIL  totals.small: 2 violations" in str(report)
    with pytest.raises(FailedChecksError, match=r"totals\.small"):
        report.raise_for_status()
    with pytest.raises(UsageError, match="not published"):
        project.show("totals")


def test_a_refused_run_raises_and_a_broken_one_is_a_report_with_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.load(written(tmp_path / "shop"))
    (tmp_path / "shop/data/orders.parquet").write_bytes(b"no Parquet")
    with pytest.raises(SourceError):
        project.run()
    written(tmp_path / "shop")
    from backends.duckdb import DuckDBBackend

    def fails(*_: object, **__: object) -> None:
        raise EngineError("the disk is full")

    monkeypatch.setattr(DuckDBBackend, "publish", fails)
    report = project.run()
    assert (report.status, str(report.error)) == ("error", "the disk is full")
    assert "error: the disk is full" in str(report)
    with pytest.raises(EngineError, match="the disk is full"):
        report.raise_for_status()


def test_an_interrupt_is_raised_when_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.load(written(tmp_path / "shop"))
    from backends.duckdb import DuckDBBackend

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(DuckDBBackend, "publish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            project.run()
    with duckdb.connect(str(tmp_path / "shop/target/marts.duckdb")) as connection:
        ended = connection.execute("SELECT status FROM gold.marts_runs").fetchall()
        assert ended == [("interrupted",)]
    assert project.run().ok


def test_what_goes_wrong_besides_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.load(written(tmp_path / "shop"))
    from marts.core.run import artifacts

    def fails(*_: object) -> None:
        raise EngineError("cannot write it")

    monkeypatch.setattr(artifacts, "write_json", fails)
    with pytest.warns(MartsWarning, match="cannot write it"):
        assert project.run().status == "published"


def test_a_run_of_groups_says_how_each_ended(tmp_path: Path) -> None:
    folder = written(tmp_path / "shop", factor="50")
    other = (folder / "shop_marts/totals.py").read_text("utf-8").replace("* 50", "")
    other = other.replace("@mart(", '@mart(group="finance",').replace("def totals", "def sums")
    (folder / "shop_marts/sums.py").write_text(other, "utf-8")
    report = Project.load(folder).run()
    assert sorted(report.groups.values()) == ["failed", "published"]
    assert report.groups["finance"] == "published"
    assert (report.status, report.ok) == ("failed", False)
    assert "done  finance  published 1 mart" in str(report)
    with pytest.raises(FailedChecksError, match=r"totals\.small"):
        report.raise_for_status()


# Loading


def test_an_edited_mart_counts_when_the_project_is_loaded_again(tmp_path: Path) -> None:
    folder = written(tmp_path / "shop")
    first = Project.load(folder)
    first.run()
    # The file keeps its size, and its time but for parts of a second.
    written(folder, factor="2")
    again = Project.load(folder)
    assert total(first) == 3
    assert again.run().built == ("totals",)
    assert total(again) == 6
    # The first one still has the marts that it was loaded with.
    first.run()
    assert total(first) == 3


def test_projects_with_packages_of_one_name_do_not_see_each_others_modules(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for number, folder in enumerate(folders, start=1):
        written(folder, factor="FACTOR")
        with (folder / "shop_marts/totals.py").open("r+", encoding="utf-8") as file:
            text = file.read()
            file.seek(0)
            file.write(f"from factors import FACTOR\n{text}")
        (folder / "factors.py").write_text(f"FACTOR = {number}\n", "utf-8")
    projects = [Project.load(folder) for folder in folders]
    for project in projects:
        project.run()
    assert [total(project) for project in projects] == [3, 6]
    (tmp_path / "three").mkdir()
    with pytest.raises(UsageError, match="no package"):
        Project.load(tmp_path / "three", package="shop_marts")


def test_the_bundled_marts_are_loaded_again_beside_the_framework() -> None:
    first = Project.load(package="marts")
    framework = sys.modules["marts.core.errors"]
    again = Project.load(package="marts")
    assert sys.modules["marts.core.errors"] is framework
    assert list(first.marts) == list(again.marts)


def test_a_wrong_mart_is_refused_and_loads_when_it_is_mended(tmp_path: Path) -> None:
    folder = written(tmp_path / "shop", factor="nothing")
    (folder / "shop_marts/totals.py").write_text("1 +", "utf-8")
    with pytest.raises(DefinitionError, match="SyntaxError"):
        Project.load(folder)
    written(folder)
    assert list(Project.load(folder).marts) == ["totals"]


# Settings


def test_keywords_count_more_than_variables_and_these_more_than_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path / "shop")
    (folder / "below").mkdir()
    assert Project.load(folder / "below").settings.schema == "gold"
    monkeypatch.setenv("MARTS_SCHEMA", "silver")
    monkeypatch.setenv("MARTS_AS_OF", "2025-01-31")
    by_variable = Project.load(folder).settings
    assert (by_variable.schema, by_variable.as_of) == ("silver", datetime.date(2025, 1, 31))
    given = Project.load(folder, schema="bronze", as_of=datetime.date(2025, 2, 28)).settings
    assert (given.schema, given.as_of) == ("bronze", datetime.date(2025, 2, 28))


def test_an_environment_is_chosen_and_deferred_to_by_name(tmp_path: Path) -> None:
    folder = written(tmp_path / "shop")
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('[tool.marts.environments.prod]\ndatabase = "target/prod.duckdb"\n')
        file.write('[tool.marts.environments.dev]\nschema = "dev"\n')
    prod, dev = Project.load(folder, env="prod"), Project.load(folder, env="dev")
    assert prod.run().raise_for_status().document["environment"] == "prod"
    assert dev.settings.schema == "dev"
    assert dev.run(defer="prod").status == "published"
    assert total(dev) == total(prod) == 3
    with pytest.raises(UsageError, match="no such environment"):
        Project.load(folder, env="production")


def test_a_path_stays_where_it_is_when_the_current_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path / "shop")
    monkeypatch.chdir(folder)
    project = Project.load(database="own.duckdb", target="out")
    monkeypatch.chdir(tmp_path)
    project.run()
    assert (folder / "own.duckdb").is_file()
    assert (folder / "out/run_results.json").is_file()
    assert total(project) == 3


@pytest.mark.parametrize(
    ("kind", "command", "fields"),
    [(keywords.GivenSettings, of_run, True), (keywords.RunKeywords, of_run, False),
     (keywords.TestKeywords, of_test, False), (keywords.ExportKeywords, of_export, False)],
)  # fmt: skip
def test_keywords_are_the_options_of_the_command(kind: type, command: Any, fields: bool) -> None:
    options = {each.name for each in command.params} - {"selectors", "as_json", "mart", "output"}
    named = {"of_sources" if n == "sources" else n for n in kind.__annotations__}
    assert not named - options
    missing = options - named
    assert {each for each in missing if (each in FIELDS) == fields} == set()


Refused = Callable[[Project], object]
REFUSED: list[tuple[Refused, str]] = [
    (lambda p: Project.load(p.folder, shema="x"), "did you mean schema"),  # type: ignore[call-arg]
    (lambda p: Project.load(p.folder / "nowhere"), "there is no folder"),
    (lambda p: Project.load(p.folder, threads=0), "threads is 0: not in the range"),
    (lambda p: Project.load(p.folder, backend="oracle"), "backend is 'oracle': not one of"),  # type: ignore[arg-type]
    (lambda p: p.run(forse=True), "did you mean force"),  # type: ignore[call-arg]
    (lambda p: p.run([]), "select is empty"),
    (lambda p: p.run(""), "no mart matches"),
    (lambda p: p.run(as_of="today"), "as_of is 'today': not a date: write it as YYYY-MM-DD, such"),
    (lambda p: p.run(as_of="31.12.2025"), "as_of is '31.12.2025': not a date: .* 2025-12-31$"),
    (lambda p: p.run("sums"), "no mart matches sums"),
    (lambda p: p.show("totls"), "did you mean totals"),
    (lambda p: p.export("totals", "a.xls"), "cannot tell from a.xls which format"),
    (lambda p: p.export("totals", "a.csv", over=True), "there is no keyword over"),  # type: ignore[call-arg]
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=[text for _, text in REFUSED])
def test_wrong_calls_are_usage_errors(call: Refused, message: str, tmp_path: Path) -> None:
    project = Project.load(written(tmp_path / "shop"))
    with pytest.raises(UsageError, match=message):
        call(project)
    assert not (tmp_path / "shop/target/marts.duckdb").exists()


def test_without_a_project_there_is_nothing_to_load() -> None:
    with pytest.raises(UsageError, match="no package of marts is named"):
        Project.load()


# Threads and loops


def test_a_database_that_the_process_has_open_is_an_engines_error(tmp_path: Path) -> None:
    project = Project.load(written(tmp_path / "shop"))
    project.run()
    with (
        duckdb.connect(str(tmp_path / "shop/target/marts.duckdb")),
        pytest.raises(EngineError, match=r"this process has .* open already"),
    ):
        project.run()


def test_threads_share_a_database_file_one_after_the_other(tmp_path: Path) -> None:
    project = Project.load(written(tmp_path / "shop"))
    other = Project.load(written(tmp_path / "other", factor="2"))
    calls: list[Callable[[], object]] = [
        lambda: project.run(force=True).raise_for_status(),
        lambda: project.test("totals"),
        lambda: other.run(force=True).raise_for_status(),
        lambda: Project.load(tmp_path / "other"),
    ] * 2
    project.run()
    with ThreadPoolExecutor(4) as pool, warnings.catch_warnings():
        for future in [pool.submit(call) for call in calls]:
            future.result()
    assert [total(project), total(other)] == [3, 6]


def test_it_works_in_a_running_event_loop(tmp_path: Path) -> None:
    async def use() -> str:
        project = Project.load(written(tmp_path / "shop"))
        here = project.run().status
        there = await asyncio.to_thread(lambda: project.run(force=True).status)
        return f"{here} {there} {threading.current_thread() is threading.main_thread()}"

    assert asyncio.run(use()) == "published published True"
