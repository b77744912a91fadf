"""The list of allowed mutants: what it may contain, and the score by it."""

from __future__ import annotations

import ibis
import pytest

from marts import Table, mart, string
from marts.core.errors import UsageError
from marts.core.proof.equivalent_mutants import (
    Equivalent,
    MutationReport,
    entry_of,
    entry_text,
    read_equivalents,
    score,
    unknown_entries,
)
from marts.core.proof.mutants import Change, Mutant
from marts.core.proof.mutation import MutantResult, MutationRun

T = ibis.table({"k": "string"}, name="t")

ENTRY = """
[[equivalent]]
mart = "toy"
operator = "label"
before = "'a' if n > 1"
after = "'a?' if n > 1"
reason = "n is never above 1"
"""


@mart(grain="k", columns=[string("k")])
def toy(t: Table) -> Table:
    """Toy."""
    return t


def mutant(before: str) -> Mutant:
    return Mutant(
        toy, "label", before, f"{before}?", "toy.py:1", T, Change((T.op(),), T.op(), T.op())
    )


def entry(before: str, mart: str = "toy") -> Equivalent:
    return Equivalent(mart, "label", before, f"{before}?", "because")


def scored(*entries: Equivalent) -> MutationReport:
    results = (
        MutantResult(mutant("seen"), "rows", "toy, k1: x: 1 → 2"),
        MutantResult(mutant("allowed"), None),
        MutantResult(mutant("alive"), None),
    )
    return score(MutationRun(toy, results, 0.5), entries)


def test_an_entry_is_read() -> None:
    assert read_equivalents(ENTRY, location="list.toml") == (
        Equivalent("toy", "label", "'a' if n > 1", "'a?' if n > 1", "n is never above 1"),
    )
    assert read_equivalents("", location="list.toml") == ()


def test_an_entry_is_written_as_it_is_read() -> None:
    strange = Equivalent("toy", "label", 'a "b" \\ é', "'c'", "of no\nmatter")
    assert read_equivalents(entry_text(strange), location="list.toml") == (strange,)
    assert entry_text(entry_of(mutant("x"), reason="why")).splitlines() == [
        "[[equivalent]]",
        'mart = "toy"',
        'operator = "label"',
        'before = "x"',
        'after = "x?"',
        'reason = "why"',
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[equivalent]", "list.toml is not TOML: "),
        ("equivalent = 1", r"list.toml may only have tables \[\[equivalent\]\]"),
        (f"{ENTRY}\n[other]\n", "may only have tables"),
        (
            "[[equivalent]]\nmart = 'toy'",
            "list.toml, entry 1: expected exactly these keys, each with a text: mart, ",
        ),
        (f"{ENTRY}more = 'words'", "list.toml, entry 1: expected exactly these keys"),
        (f"{ENTRY}{ENTRY}".replace("never above 1", "x", 1), "list.toml has the same entry twice"),
        (
            ENTRY.replace("n is never above 1", " "),
            "list.toml, entry 1: expected exactly these keys",
        ),
        (ENTRY.replace('"toy"', "1"), "list.toml, entry 1: expected exactly these keys"),
        ("equivalent = [1]", "list.toml, entry 1: expected exactly these keys"),
    ],
)
def test_a_malformed_list_raises(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_equivalents(text, location="list.toml")


def test_mutants_are_killed_allowed_or_alive() -> None:
    report = scored(entry("allowed"))
    assert report.killed == 1
    assert report.allowed == (mutant("allowed"),)
    assert report.surviving == (mutant("alive"),)
    assert report.stale == ()
    assert report.has_failed


def test_a_mart_whose_mutants_are_all_killed_or_allowed_has_not_failed() -> None:
    assert not scored(entry("allowed"), entry("alive"), entry("x", mart="other")).has_failed


def test_an_entry_that_is_not_needed_is_stale() -> None:
    report = scored(entry("allowed"), entry("alive"), entry("seen"), entry("gone"))
    assert [(stale.entry.before, stale.why) for stale in report.stale] == [
        ("seen", "it is killed: toy, k1: x: 1 → 2"),
        ("gone", "there is no such mutant"),
    ]
    assert report.has_failed


def test_an_entry_of_no_mart_is_unknown() -> None:
    (unknown,) = unknown_entries([entry("a"), entry("b", mart="other")], {"toy": toy})
    assert (unknown.entry.before, unknown.why) == ("b", "there is no such mart")
