"""Proofs as values: what level they reach, which record decides, and that files keep them."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from pathlib import Path

import pytest

from marts.core.errors import UsageError
from marts.core.plan.proofs import LEVELS, Canonical, Level, Mutants, Proof, deciding
from marts.core.project.settings import PROOF_LEVELS
from marts.core.run.proof_records import read_records, write_records

FIRST = datetime.datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001  (UTC)
FULL = Proof(
    package="toy",
    mart="customer_totals",
    canonical=Canonical({"duckdb": {"": "SELECT 1"}, "snowflake": {"": "SELECT 1"}}),
    proved_at=FIRST,
    worlds=40,
    engines=("duckdb", "snowflake emulator"),
    twin=True,
    examples=2,
    invariants=3,
    mutants=Mutants(7, {"1 → 2 in line 3": "no row reaches it"}),
    versions={"marts": "0.1.0", "ibis": "12.0.0"},
)


def later(proof: Proof, seconds: int) -> Proof:
    return replace(proof, proved_at=FIRST + datetime.timedelta(seconds=seconds))


def test_the_settings_have_the_same_levels() -> None:
    assert PROOF_LEVELS == LEVELS


@pytest.mark.parametrize(
    ("proof", "level"),
    [
        (FULL, "reference + mutants"),
        (replace(FULL, twin=False), "reference + mutants"),
        (replace(FULL, twin=False, examples=0, readers=("shop_overview",)), "reference + mutants"),
        (replace(FULL, mutants=None), "reference"),
        (replace(FULL, mutants=Mutants(7, {}, ("a filter dropped",))), "reference"),
        (replace(FULL, twin=False, examples=0), "engines"),
        (replace(FULL, engines=("duckdb", "duckdb")), None),
        (replace(FULL, worlds=0), None),
        (replace(FULL, failures=("the twin differs",)), None),
    ],
)
def test_the_level_is_what_held(proof: Proof, level: Level | None) -> None:
    assert proof.level == level
    reached = LEVELS.index(level) if level else -1
    assert [proof.proves(each) for each in LEVELS] == [n <= reached for n in range(3)]
    assert not any(replace(proof, quick=True).proves(each) for each in LEVELS)


def test_what_held_stays_until_something_fails() -> None:
    weaker = later(replace(FULL, mutants=None), 1)
    quick = later(replace(FULL, quick=True), 2)
    failed = later(replace(FULL, failures=("the engines differ",)), 3)
    quick_too = later(quick, 4)
    again = later(FULL, 5)
    (key,) = deciding([FULL])
    for records, expected in (
        ([quick, weaker, FULL], FULL),
        ([FULL, failed], failed),
        ([FULL, replace(failed, proved_at=FIRST)], replace(failed, proved_at=FIRST)),
        ([FULL, replace(failed, quick=True)], replace(failed, quick=True)),
        ([FULL, failed, again], again),
        ([quick], quick),
    ):
        assert deciding(records) == {key: expected}
    assert not deciding([FULL, failed, quick_too])[key].proves("engines")


def test_what_was_tried_of_absent_sources_adds_up_at_one_level() -> None:
    without = later(replace(FULL, cases=("without reviews",)), 1)
    weaker = later(replace(FULL, cases=("without notes",), mutants=None), 2)
    (found,) = deciding([FULL, without, weaker]).values()
    assert (found.level, found.cases) == ("reference + mutants", ("", "without reviews"))


def test_a_file_keeps_records_by_digest(tmp_path: Path) -> None:
    path = tmp_path / "target" / "proof.json"
    other = replace(FULL, canonical=replace(FULL.canonical, marts={"orders": "0"}))
    write_records(path, [FULL])
    write_records(path, [other, later(replace(FULL, quick=True), 1)])
    assert set(map(Proof.to_text, read_records(path))) == {FULL.to_text(), other.to_text()}
    assert {each.level for each in read_records(path)} == {"reference + mutants"}


def test_a_record_that_was_altered_or_that_another_version_wrote_does_not_count(
    tmp_path: Path,
) -> None:
    path = tmp_path / "proof.json"
    altered, unknown = FULL.to_document(), FULL.to_document()
    altered["canonical"]["sql"]["duckdb"] = {"": "SELECT 2"}
    unknown["moon"] = "full"
    path.write_text(json.dumps({"proofs": [altered, unknown, {}, None]}), "utf-8")
    assert read_records(path) == ()
    assert Proof.from_text("{") is None


@pytest.mark.parametrize("text", ["", "[]", '{"proof": []}'])
def test_a_file_of_something_else_is_refused_and_kept(text: str, tmp_path: Path) -> None:
    path = tmp_path / "proof.json"
    path.write_text(text, "utf-8")
    for use in (lambda: read_records(path), lambda: write_records(path, [FULL])):
        with pytest.raises(UsageError, match="is not a file of proofs"):
            use()
    assert path.read_text("utf-8") == text
