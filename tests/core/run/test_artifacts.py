"""Files: what a run leaves behind, whole or not at all, and an error where it cannot."""

from __future__ import annotations

import csv
import errno
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from marts import Table, mart, row_check, source, string
from marts.core.catalog.manifest import manifest
from marts.core.errors import EngineError
from marts.core.run import artifacts, files
from marts.core.run.report import Report
from support.workshop import SHOP, Workshop, customer, order, project_of

CONTEXT: files.Document = {"as_of": "2025-06-30", "backend": "duckdb", "versions": {}}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "some" / "target"


@pytest.fixture
def failed(shop: Workshop) -> Report:
    """Return a run in which one customer occurs twice."""
    shop.write(customers=[customer("c1", name="Zoë"), customer("c1", name="Zoe"), customer("c2")])
    return shop.run()


def test_prepare_makes_the_folder_and_leaves_alone_what_an_earlier_run_left(target: Path) -> None:
    files.prepare(target)
    assert list(target.iterdir()) == []
    (target / "failures").mkdir()
    there = ["failures/old.csv", "run_results.json", "manifest.json", "marts.duckdb"]
    for name in there:
        (target / name).write_text(name)
    files.prepare(target)
    kept = (path for path in target.rglob("*") if path.is_file())
    assert {str(path.relative_to(target)): path.read_text() for path in kept} == {
        name: name for name in there
    }


@pytest.mark.parametrize("name", ["run_results.json", "manifest.json"])
def test_prepare_finds_a_folder_where_a_file_is_to_be(name: str, target: Path) -> None:
    (target / name).mkdir(parents=True)
    with pytest.raises(EngineError, match=f"cannot write .*{name}"):
        files.prepare(target)


def test_prepare_finds_a_file_where_the_failures_are_to_be(target: Path) -> None:
    target.mkdir(parents=True)
    (target / "failures").touch()
    with pytest.raises(EngineError, match=r"cannot write .*failures"):
        files.prepare(target)


def leave(target: Path, report: Report) -> list[EngineError]:
    """Replace what the last run left."""
    results = artifacts.run_results(report, context=CONTEXT, target=target)
    return artifacts.write_artifacts(target, report, results, manifest(SHOP.project))


def test_what_a_run_leaves_takes_the_place_of_what_the_last_one_left(
    target: Path, failed: Report, shop: Workshop
) -> None:
    files.prepare(target)
    assert leave(target, failed) == []
    assert [path.name for path in (target / "failures").iterdir()] == [
        "customer_totals.customer_id_unique.csv"
    ]
    shop.write(customers=[customer("c1"), customer("c2")])
    assert leave(target, shop.run()) == []
    assert sorted(path.name for path in target.iterdir()) == ["manifest.json", "run_results.json"]
    assert json.loads((target / "run_results.json").read_text("utf-8"))["status"] == "published"


def test_each_file_is_tried_and_an_old_report_does_not_pass_for_this_runs(
    target: Path, failed: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(target, failed)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    assert [str(trouble) for trouble in leave(target, failed)] == [
        f"cannot write {target / name}\n  No space left on device\nhint: {files.ELSEWHERE}"
        for name in ("run_results.json", "manifest.json")
    ]
    assert [path.name for path in target.iterdir()] == ["failures"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
@pytest.mark.parametrize("before", [None, 0o777, 0o500])
def test_samples_are_for_their_owner_alone(
    umask: int, before: int | None, target: Path, failed: Report
) -> None:
    folder = target / "failures"
    if before is not None:
        folder.mkdir(parents=True)
        (folder / "customer_totals.customer_id_unique.csv").touch(0o666)
        folder.chmod(before)
    target.mkdir(parents=True, exist_ok=True)
    usual = os.umask(umask)
    try:
        artifacts.write_failures(target, failed)
    finally:
        os.umask(usual)
    (file,) = folder.iterdir()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, file)] == [0o700, 0o600]


def test_a_document_replaces_the_one_before_whole(target: Path) -> None:
    path = target / "some.json"
    files.write_json(path, {"n": 1})
    files.write_json(path, {"name": "Zoë"})
    assert path.read_text("utf-8") == '{\n  "name": "Zoë"\n}\n'
    assert [each.name for each in target.iterdir()] == ["some.json"]


def test_statements_are_files_named_after_their_marts(target: Path) -> None:
    artifacts.write_sql(target, {"a": "SELECT 1", "b": "SELECT 'ü'"})
    assert {path.name: path.read_text("utf-8") for path in target.iterdir()} == {
        "a.sql": "SELECT 1\n",
        "b.sql": "SELECT 'ü'\n",
    }


def test_failing_samples_are_files_named_after_table_and_check(
    target: Path, failed: Report
) -> None:
    artifacts.write_failures(target, failed)
    (path,) = (target / "failures").iterdir()
    assert path.name == "customer_totals.customer_id_unique.csv"
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [{"customer_id": "c1", "rows": "2"}]


def test_samples_of_warnings_are_written_too(tmp_path: Path, target: Path) -> None:
    odd = row_check("odd", offending=lambda t: t.bike != "", severity="warn")

    @mart(grain="bike", columns=[string("bike")], checks=[odd])
    def sold(bikes: Table) -> Table:
        """Bikes."""
        return bikes

    bikes = source("bikes", doc="Bikes.", grain="bike", columns=[string("bike")])
    workshop = Workshop(tmp_path, project_of(bikes, sold))
    names = ['a "quoted", name', "line\nbreak", "=1+1", " @x", "-1", "plain"]
    workshop.write(bikes=[{"bike": name} for name in names])
    artifacts.write_failures(target, workshop.run())
    with (target / "failures" / "sold.odd.csv").open(encoding="utf-8", newline="") as file:
        found = {row["bike"] for row in csv.DictReader(file)}
    # No spreadsheet program takes a text for a formula.
    assert found == {'a "quoted", name', "line\nbreak", "'=1+1", "' @x", "'-1", "plain"}


def test_run_results_say_what_happened(target: Path, failed: Report) -> None:
    found = artifacts.run_results(failed, context=CONTEXT, target=target)
    assert json.loads(json.dumps(found)) == found
    assert found["schema_version"] == artifacts.SCHEMA_VERSION
    assert (found["run_id"], found["status"], found["as_of"]) == ("run", "failed", "2025-06-30")
    assert found["error"] is None
    assert isinstance(found["tables"], list)
    tables = {table["name"]: table for table in found["tables"]}
    assert list(tables) == list(SHOP.order)
    paid, totals = tables["int_paid_orders"], tables["customer_totals"]
    assert (paid["kind"], paid["rows"]) == ("view", 3)
    assert (totals["kind"], totals["rows"]) == ("table", 3)
    assert totals["sql"].startswith("SELECT")
    assert totals["build_seconds"] >= 0
    assert totals["check_seconds"] >= 0
    checks = {check["name"]: check for check in totals["checks"]}
    assert checks["customer_id_unique"] == {
        "name": "customer_id_unique",
        "severity": "error",
        "threshold": 0,
        "outcome": "fail",
        "violations": 1,
        "explanation": None,
        "sample": str(target / "failures" / "customer_totals.customer_id_unique.csv"),
    }
    assert checks["has_stars"] == {
        "name": "has_stars",
        "severity": "warn",
        "threshold": 100,
        "outcome": "pass",
        "violations": 3,
        "explanation": None,
        "sample": None,
    }


def test_run_results_name_skipped_checks_and_the_error(shop: Workshop, target: Path) -> None:
    shop.run("int_paid_orders")
    shop.write(orders=[order("o1", "c1", "1.00")] * 2)
    found = artifacts.run_results(shop.run("int_paid_orders"), context=CONTEXT, target=target)
    assert found["skipped_checks"] == [
        {
            "table": "model_sales",
            "check": "no_more_than_was_paid",
            "missing": ["model_sales"],
            "exempt": None,
        }
    ]


def test_a_manifest_is_the_declarations_as_data() -> None:
    found = manifest(SHOP.project)
    assert json.loads(json.dumps(found)) == found
    assert isinstance(found["sources"], list)
    assert isinstance(found["marts"], list)
    assert {source["name"]: source["optional"] for source in found["sources"]} == {
        "customers": False,
        "orders": False,
        "reviews": True,
    }
    (totals,) = (each for each in found["marts"] if each["name"] == "customer_totals")
    assert totals["grain"] == ["customer_id"]
    assert totals["tags"] == ["sales", "by_customer"]
    assert totals["materialized"] == "table"
    assert totals["inputs"] == ["customers", "int_paid_orders", "reviews"]
    assert totals["comment"] == "One row per active customer, who may have bought nothing."
    assert totals["columns"][-1] == {
        "name": "tier",
        "type": "string",
        "null": False,
        "comment": "gold if spend >= 1000; else plain",
        "personal": None,
        "not_personal": None,
    }
    names = [check["name"] for check in totals["checks"]]
    assert {"tier_not_null", "customer_id_unique", "every_active_customer"} <= set(names)
    assert "toy_shop/sales/customer_totals.py:" in totals["declared_at"]


# Where nothing can be written


@pytest.fixture
def unwritable(tmp_path: Path) -> Iterator[Path]:
    """Return a folder's name that is a file's: not even root can write below it."""
    (tmp_path / "taken").write_text("a file", "utf-8")
    yield tmp_path / "taken" / "target"
    assert (tmp_path / "taken").read_text("utf-8") == "a file"


@pytest.mark.parametrize(
    "write",
    [
        files.prepare,
        lambda target: files.write_json(target / "run_results.json", {}),
        lambda target: artifacts.write_sql(target, {"a": "SELECT 1"}),
    ],
    ids=["prepare", "json", "sql"],
)
def test_a_folder_that_cannot_be_written_is_an_error_with_a_hint(
    write: Callable[[Path], None], unwritable: Path
) -> None:
    with pytest.raises(EngineError) as caught:
        write(unwritable)
    summary, reason, hint = str(caught.value).splitlines()
    assert summary.startswith(f"cannot write {unwritable}")
    assert reason.strip() == os.strerror(20)
    assert hint.startswith("hint: ")


def test_samples_that_cannot_be_written_are_an_error(unwritable: Path, failed: Report) -> None:
    with pytest.raises(EngineError, match="cannot write"):
        artifacts.write_failures(unwritable, failed)
