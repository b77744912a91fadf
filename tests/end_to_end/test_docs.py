"""`marts docs`: what the catalogue says of runs, on DuckDB and on Snowflake, and where it goes."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from marts.core.analysis.reliance_errors import relied_on
from marts.core.authoring.tables import Mart
from marts.core.catalog.distributions import Counted, counted
from marts.core.catalog.pages import CheckPage, Site, TablePage
from marts.core.errors import EngineError
from marts.core.operations import catalog_facts, docs, wiring
from marts.core.operations.docs import MARKER, OFFLINE, site_of
from marts.core.operations.proofs import append_records, canon_of
from marts.core.plan.proofs import Mutants, Proof
from marts.core.plan.state import RecordedTable
from marts.core.project.graph import link
from marts.core.project.settings import Settings
from marts.core.run.inspection import recorded_by
from marts.core.run.proof_records import write_records
from support.account import Account
from support.processes import Marts, Result, call_marts
from support.workshop import CUSTOMERS, ORDERS, SHOP, Workshop, customer, order, shop_in

DONE, FAILED, USAGE_ERROR = 0, 1, 2
GOOD, BAD = "SHOP_OF_DOCS", "BAD_SHOP_OF_DOCS"
DAY = datetime.date(2025, 6, 30)


@dataclass(frozen=True)
class Place:
    """Where the bicycle shop is built: how it is run on some data, read, and changed behind it."""

    run: Callable[..., Result]
    settings: Settings
    change: Callable[[str], object]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Return the shop's data with a nameless city, and with an order that no check lets pass."""
    folders = {}
    for name, more in {GOOD: (), BAD: (order("bad", "c1", "-5000.00"),)}.items():
        shop = Workshop(tmp_path_factory.mktemp(name), SHOP)
        shop.write(customers=(*CUSTOMERS, customer("c4", city="Bonn")), orders=(*ORDERS, *more))
        folders[name] = shop.data
    return folders


@pytest.fixture
def on_duckdb(data: Mapping[str, Path], tmp_path: Path) -> Place:
    """Return a place on DuckDB."""
    database = tmp_path / "marts.duckdb"

    def run(name: str, *words: str) -> Result:
        where = ("--data", data[name], "--database", database)
        return call_marts(
            *("run", "--package", "toy_shop", "--as-of", str(DAY), *words, *where), cwd=tmp_path
        )

    def change(sql: str) -> None:
        with duckdb.connect(str(database)) as connection:
            connection.execute(sql.format(schema="gold"))

    settings = Settings(package="toy_shop", data=data[GOOD], database=str(database))
    return Place(run, settings, change)


@pytest.fixture(scope="module")
def loaded(emulated: Account, data: Mapping[str, Path]) -> Account:
    """Return the account, with that data in it."""
    for name, folder in data.items():
        words = (*emulated.load_words(name), "--data", folder)
        assert emulated.call(*words, cwd=folder).returncode == DONE
    return emulated


@pytest.fixture
def on_snowflake(
    loaded: Account, own_schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Place:
    """Return a place on Snowflake."""

    def run(name: str, *words: str) -> Result:
        where = loaded.run_words(schema=own_schema, sources=name)
        return loaded.call(
            *("run", "--package", "toy_shop", "--as-of", str(DAY), *words, *where), cwd=tmp_path
        )

    for name, value in loaded.environment().items():
        monkeypatch.setenv(name, value)
    settings = Settings(
        package="toy_shop",
        backend="snowflake",
        connection=loaded.name,
        database=loaded.database,
        schema=loaded.schema(own_schema),
        source_schema=loaded.schema(GOOD),
    )
    schema = f'"{loaded.database}"."{settings.schema}"'
    return Place(run, settings, lambda sql: loaded.rows(sql.format(schema=schema)))


@pytest.fixture(params=["on_duckdb", pytest.param("on_snowflake", marks=pytest.mark.emulator)])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a place where nothing is published yet."""
    monkeypatch.chdir(tmp_path)
    found: Place = request.getfixturevalue(request.param)
    return replace(found, settings=replace(found.settings, target=tmp_path / "target"))


def table_of(site: Site, name: str) -> TablePage:
    return next(table for table in site.tables if table.name == name)


def check_of(site: Site, table: str, name: str) -> CheckPage:
    return next(check for check in table_of(site, table).checks if check.name == name)


def test_the_catalogue_says_what_the_runs_have_found(place: Place) -> None:
    assert [place.run(GOOD).returncode, place.run(BAD).returncode] == [DONE, FAILED]
    site = site_of(place.settings)
    assert (site.notes, site.as_of) == ((), DAY)
    assert [(run.status, run.checks_failed) for run in site.runs] == [
        ("failed", 1),
        ("published", 0),
    ]
    failed, published = (run.run_id for run in site.runs)
    amounts = check_of(site, "orders", "amount_at_least_0")
    assert [(r.run_id, r.outcome, r.violations, r.run_status) for r in amounts.history] == [
        (failed, "fail", 1, "failed"),
        (published, "pass", 0, "published"),
    ]
    assert amounts.description == "`amount` is at least 0."
    # It was derived, and is nowhere declared.
    assert [r.outcome for r in check_of(site, "orders", "status_spelling").history] == ["pass"] * 2
    stars = check_of(site, "customer_totals", "has_stars")
    assert [(r.run_id, r.outcome, r.violations) for r in stars.history] == [(published, "pass", 4)]
    totals = table_of(site, "customer_totals")
    assert totals.build
    assert (totals.build.run_id, totals.build.rows) == (published, 4)
    assert (totals.build.as_of, totals.notes) == (DAY, ())
    assert totals.build.seconds is not None
    source = table_of(site, "orders")
    assert source.build
    assert (source.build.run_id, source.build.rows) == (failed, len(ORDERS) + 1)


def test_the_catalogue_shows_the_distributions_of_what_is_published(place: Place) -> None:
    place.run(GOOD)
    site = site_of(place.settings)
    found = {each.column: each for each in table_of(site, "customer_totals").distributions}
    assert [*found] == ["tier", "orders_paid", "spend", "average_order"]
    assert [(bar.label, bar.rows) for bar in found["tier"].bars] == [("gold", 1), ("plain", 3)]
    assert [(bar.label, bar.rows) for bar in found["orders_paid"].bars] == [
        ("0", 2),
        ("1", 1),
        ("2", 1),
    ]
    spend = {bar.label: bar.rows for bar in found["spend"].bars if bar.rows}
    assert spend == {"0 to 100": 3, "1,200 to 1,300": 1}
    assert found["average_order"].nulls == 2
    for each in found.values():
        assert sum(bar.rows for bar in each.bars) + each.nulls == 4
    # Of a table that others need not know, nothing is counted.
    assert table_of(site, "int_paid_orders").distributions == ()


def test_a_table_of_other_code_or_other_columns_says_so(place: Place) -> None:
    place.run(GOOD)
    place.change("DELETE FROM {schema}.customer_totals WHERE customer_id = 'c2'")
    graph, _ = wiring.linked(place.settings)
    marts = dict(graph.project.marts)
    totals, sales, overview = (
        marts[name] for name in ("customer_totals", "model_sales", "shop_overview")
    )
    marts["model_sales"] = replace(sales, comment="Something else.")
    *others, revenue = overview.columns
    columns = (*others, replace(revenue, type="float64"))
    marts["shop_overview"] = replace(overview, columns=columns)
    marts["another"] = replace(totals, name="another", checks=())
    changed = link(replace(graph.project, marts=marts))
    site = site_of(place.settings, project=wiring.Linked(changed, relied_on(changed)))
    assert {table.name: table.notes for table in site.tables if table.notes} == {
        "customer_totals": (catalog_facts.ALTERED,),
        "model_sales": (catalog_facts.OTHER_CODE,),
        "shop_overview": (catalog_facts.OTHER_CODE, catalog_facts.OTHER_COLUMNS),
        "another": (catalog_facts.NOT_PUBLISHED,),
    }
    assert table_of(site, "shop_overview").distributions == ()
    assert table_of(site, "model_sales").distributions


def test_marts_are_read_again_if_a_run_publishes_meanwhile(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.run(GOOD)
    first, seen = site_of(place.settings).runs[0].run_id, list[object]()

    def published_meanwhile(*words: Any) -> Mapping[str, RecordedTable]:
        seen.append(words)
        found = recorded_by(*words)
        if len(seen) <= 2:
            return found
        return {name: replace(row, run_id="LATER") for name, row in found.items()}

    monkeypatch.setattr(catalog_facts, "recorded_by", published_meanwhile)
    site = site_of(place.settings)
    assert site.runs[0].run_id == first
    # Not a mixture: the build of the first attempt is shown nowhere.
    assert len(seen) == 6
    assert {table.build.run_id for table in site.tables if table.build} <= {first, "LATER"}
    assert table_of(site, "customer_totals").build is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"data": None}, "no data are named for toy_shop"),
        ({"schema": "elsewhere"}, "no mart of the project is published"),
    ],
)
def test_without_a_database_the_catalogue_has_what_is_declared(
    changes: Mapping[str, object],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    shop_in(tmp_path)
    settings = Settings(package="toy_shop", data=tmp_path / "data")
    site = site_of(replace(settings, **changes))  # type: ignore[arg-type]
    assert says in site.notes
    assert str(tmp_path) not in " ".join(site.notes)
    declared = site_of(settings, offline=True)
    assert declared.notes == (OFFLINE,)
    without_notes = tuple(replace(table, notes=()) for table in site.tables)
    assert replace(declared, tables=without_notes, generated_at=site.generated_at).tables == (
        declared.tables
    )
    totals = table_of(site, "customer_totals")
    assert (totals.build, totals.distributions, totals.proof) == (None, (), None)
    assert {*totals.sql} == {"duckdb", "snowflake"}


def proof_of(mart: str, **changes: Any) -> Proof:
    """Return the record of a proof of a mart as it is."""
    made = Proof(
        package="toy_shop",
        mart=mart,
        canonical=canon_of(SHOP).of(mart),
        proved_at=datetime.datetime(2026, 3, 1, 4),  # noqa: DTZ001  (UTC)
        worlds=240,
        engines=("duckdb", "snowflake"),
        examples=2,
        mutants=Mutants(killed=31),
    )
    return replace(made, **changes)


@pytest.mark.parametrize("recorded", ["in the file", "in the table"])
def test_the_catalogue_says_what_is_proven_as_it_is(
    recorded: str, on_duckdb: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    on_duckdb.run(GOOD)
    other = canon_of(SHOP).of("customer_totals")
    records = [
        proof_of("customer_totals"),
        proof_of("int_paid_orders", examples=0, mutants=None),
        proof_of("shop_overview", failures=("another answer",)),
        proof_of("model_sales", canonical=other),
    ]
    settings = replace(on_duckdb.settings, target=tmp_path / "target")
    if recorded == "in the file":
        write_records(settings.target / "proof.json", records)
    else:
        append_records(settings, records)
    site = site_of(settings, offline=recorded == "in the file")
    assert {table.name: table.proof for table in site.tables if table.proof} == {
        "customer_totals": "reference + mutants, on 2026-03-01: the same rows on duckdb and"
        " snowflake, in 240 small data sets, 2 examples, 31 planted mistakes noticed",
        "int_paid_orders": "engines, on 2026-03-01: the same rows on duckdb and snowflake,"
        " in 240 small data sets, but compared with no reference",
    }


# The folder


@pytest.fixture
def shop(tmp_path: Path) -> tuple[object, ...]:
    """Return the words that name the shop in this test's folder."""
    shop_in(tmp_path)
    return ("--package", "toy_shop", "--data", "data")


def test_the_site_replaces_its_own_folder_and_no_other(
    shop: tuple[object, ...], tmp_path: Path, called: Marts
) -> None:
    assert called("run", *shop).returncode == DONE
    for _ in range(2):
        done = called("docs", *shop)
        assert (done.returncode, done.stderr) == (DONE, "")
        assert done.stdout == (
            "wrote the pages of 7 tables to target/docs; open target/docs/index.html\n"
        )
    assert (tmp_path / "target/docs/tables/customer_totals.html").is_file()
    gone, marker = (tmp_path / "target/docs" / name for name in ("tables/gone.html", MARKER))
    gone.touch()
    marker.write_text(f"{marker.read_text('utf-8')}tables/gone.html\n", "utf-8")
    assert called("docs", *shop, "--offline").stderr == ""
    assert not gone.exists()
    (tmp_path / "empty").mkdir()
    assert called("docs", *shop, "--output", "empty").returncode == DONE
    for words, says in {
        "data": "data is not empty, and has no earlier output: nothing was written",
        "data/orders.parquet": "data/orders.parquet is a file",
        ".": ". is not empty, and has no earlier output: nothing was written",
    }.items():
        refused = called("docs", *shop, "--output", words)
        assert refused.returncode == USAGE_ERROR
        assert refused.stderr.startswith(f"error: {says}\nhint: pass --output with another folder")
    assert {file.name for file in (tmp_path / "data").iterdir()} == {
        "customers.parquet",
        "orders.parquet",
    }
    assert not [*tmp_path.glob(".*"), *(tmp_path / "target").glob(".*")]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (
            ("--backend", "snowflake", "--connection", "nowhere"),
            USAGE_ERROR,
            "there is no connection nowhere",
        ),
        (
            ("--data", "data", "--database", "mistyped.duckdb"),
            USAGE_ERROR,
            "there is no database mistyped.duckdb",
        ),
        (
            ("--data", "data", "--schema", "mistyped"),
            FAILED,
            "no mart of toy_shop is published",
        ),
        (("--data", "data", "--database", "broken.duckdb"), FAILED, "cannot open"),
    ],
)
def test_an_engine_that_cannot_be_reached_leaves_the_last_site(
    words: tuple[str, ...],
    code: int,
    says: str,
    shop: tuple[object, ...],
    tmp_path: Path,
    called: Marts,
) -> None:
    (tmp_path / "broken.duckdb").write_text("this is not a database", "utf-8")
    assert called("run", *shop).returncode == DONE
    assert called("docs", *shop).returncode == DONE
    start = tmp_path / "target/docs/index.html"
    before = start.read_text("utf-8")
    failed = called("docs", "--package", "toy_shop", *words)
    assert failed.returncode == code
    assert failed.stderr.startswith(f"error: {says}")
    assert failed.stderr.endswith("write what is declared alone: marts docs --offline\n")
    assert start.read_text("utf-8") == before
    assert called("docs", "--package", "toy_shop", *words, "--offline").returncode == DONE
    assert start.read_text("utf-8") != before


@pytest.mark.parametrize("marked", ["by names", "by an old marker"])
def test_what_was_put_beside_the_site_is_kept(
    marked: str, shop: tuple[object, ...], tmp_path: Path, called: Marts
) -> None:
    folder = tmp_path / "target/docs"
    assert called("docs", *shop, "--offline").returncode == DONE
    assert {MARKER, *(folder / MARKER).read_text("utf-8").split()} == {
        each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()
    }
    if marked == "by an old marker":
        (folder / MARKER).write_text("", "utf-8")
    else:
        (folder / "tables/ours.txt").touch()
    (folder / ".git").mkdir()
    (folder / "CNAME").write_text("shop.example", "utf-8")
    before = sorted(folder.rglob("*"))
    nested = "" if marked == "by an old marker" else "  tables/ours.txt\n"
    refused = called("docs", *shop, "--offline")
    assert refused.returncode == USAGE_ERROR
    assert refused.stderr == (
        "error: target/docs has what was not written here, and would be replaced:"
        f" nothing was written\n  .git\n  CNAME\n{nested}"
        "hint: move these elsewhere, or pass --output with another folder\n"
    )
    assert sorted(folder.rglob("*")) == before
    (folder / ".git").rmdir()
    (folder / "CNAME").unlink()
    (folder / "tables/ours.txt").unlink(missing_ok=True)
    assert called("docs", *shop, "--offline").returncode == DONE


def test_a_site_that_cannot_be_written_leaves_the_last_one(
    shop: tuple[object, ...],
    tmp_path: Path,
    called: Marts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called("docs", *shop, "--offline")
    start = tmp_path / "target/docs/index.html"
    before = start.read_text("utf-8")

    def fails(_: Site, folder: Path, *_more: object) -> None:
        (folder / "index.html").write_text("half", "utf-8")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(docs, "write_site", fails)
    done = called("docs", *shop, "--offline")
    assert done.returncode == FAILED
    assert done.stderr.startswith("error: cannot write target/docs\n  No space left on device\n")
    assert start.read_text("utf-8") == before
    assert (start.parent / MARKER).exists()
    assert [each.name for each in (tmp_path / "target").iterdir()] == ["docs"]


def test_what_is_missing_is_a_warning(
    shop: tuple[object, ...], called: Marts, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[str]()

    def no_browser(address: str) -> bool:
        opened.append(address)
        return False

    monkeypatch.setattr("webbrowser.open", no_browser)
    done = called("docs", *shop, "--open")
    assert done.returncode == DONE
    assert "warning: no mart of the project is published\n" in done.stderr
    assert "warning: there is no browser to open it\n" in done.stderr
    (address,) = opened
    assert address.startswith("file:///")
    assert address.endswith("/target/docs/index.html")


def test_one_mart_that_cannot_be_read_is_a_note(
    on_duckdb: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    on_duckdb.run(GOOD)

    def refused(mart: Mart, *words: Any) -> Counted:
        if mart.name == "customer_totals":
            raise EngineError("the role lacks a privilege", "a row")
        return counted(mart, *words)

    monkeypatch.setattr(catalog_facts, "counted", refused)
    site = site_of(on_duckdb.settings)
    assert table_of(site, "customer_totals").notes == (
        "its rows could not be read: the role lacks a privilege",
    )
    assert table_of(site, "model_sales").distributions
