"""Why a mart is not what was proven: each thing that differs, where its author wrote it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from backends.factory import dialects
from marts.core.plan.proofs import Canonical
from marts.core.project.graph import link
from marts.core.project.loading import load
from marts.core.proof.canonical import Canon
from marts.core.proof.causes import causes, difference

Write = Callable[..., str]

SOURCES = """
from marts import int64, row_check, source, string

rides = source(
    "rides",
    doc="Rides.",
    grain="ride",
    columns=[
        string("ride"),
        string("bike"),
        int64("km"),
    ],
    checks=[row_check("short", offending=lambda t: t.km > 300)],
)
"""
LONG = '''
from marts import Table, int64, mart, row_check, string

LEAST = 100


def _counted(rides: Table) -> Table:
    """Those with a bike."""
    return rides.filter(rides.bike != "")


@mart(
    grain="ride",
    columns=[
        string("ride"),
        int64("km", at_least=0),
    ],
    checks=[row_check("plausible", offending=lambda t: t.km > 1000)],
)
def long(rides: Table) -> Table:
    """Long rides."""
    found = _counted(rides)
    # At least 100 kilometres.
    return found.filter(
        found.km >= LEAST,
        found.ride != "r0",
    )
'''
LONGEST = '''
from marts import Table, int64, mart, string


@mart(grain="km", columns=[int64("km")])
def longest(long: Table) -> Table:
    """How long the longest is."""
    return long.aggregate(km=long.km.max())
'''
MODULES = {"sources": SOURCES, "long": LONG, "longest": LONGEST}


def canon_of(write: Write, **modules: str) -> Canon:
    return Canon(link(load(write(**{**MODULES, **modules}))), dialects())


@pytest.fixture
def before(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Canon:
    """Return the canonical forms without an edit, of a package of another name."""
    root = tmp_path_factory.mktemp("before")
    monkeypatch.syspath_prepend(root)
    (root / "before").mkdir()
    (root / "before" / "__init__.py").touch()
    for name, text in MODULES.items():
        (root / "before" / f"{name}.py").write_text(text, "utf-8")
    return Canon(link(load("before")), dialects())


def found(mart: str, before: Canon, now: Canon) -> list[str]:
    """Return the causes, with the names of files alone."""
    old = {before.of(name).digest: before.of(name) for name in before.graph.order}

    def forms(name: str, digest: str) -> tuple[Canonical | None, Canonical]:
        return old.get(digest), now.of(name)

    lines = causes(mart, before.of(mart), now.of(mart), now.graph, forms=forms)
    folder = now.graph.project.marts[mart].location.rpartition("/")[0]
    return [line.replace(f"{folder}/", "") for line in lines]


@pytest.mark.parametrize(
    ("module", "old", "new", "expected"),
    [
        ("long", "LEAST = 100", "LEAST = 120", ["long.py:4: LEAST = 120"]),
        ("long", '"r0"', '"r1"', ['long.py:26: found.ride != "r1",']),
        (
            "long",
            "rides.bike !=",
            "rides.ride !=",
            ['long.py:26: found.ride != "r0",', 'long.py:9: return rides.filter(rides.ride != "")'],
        ),
        ("long", "found.km >=", "found.km >", ["long.py:25: found.km > LEAST,"]),
        ("long", '        found.ride != "r0",\n', "", ["mart long: long.py:12"]),
        (
            "long",
            "at_least=0",
            "at_least=1",
            ["mart long: column km: at_least 0 → 1: long.py:16"],
        ),
        ("long", "t.km > 1000", "t.km > 2000", ["check plausible of long differs: long.py:12"]),
        (
            "sources",
            'int64("km")',
            'int64("km", null=True)',
            ["source rides: column km: null False → True: sources.py:11"],
        ),
        (
            "sources",
            'grain="ride"',
            "grain=()",
            ["source rides: grain ['ride'] → []: sources.py:4"],
        ),
    ],
)
def test_the_cause_has_its_file_and_line(
    module: str, old: str, new: str, expected: list[str], write_package: Write, before: Canon
) -> None:
    assert old in MODULES[module]
    now = canon_of(write_package, **{module: MODULES[module].replace(old, new)})
    own = found("long", before, now)
    assert own[: len(expected)] == expected
    # What reads it has the same causes.
    assert found("longest", before, now)[: len(expected)] == expected


def test_parameters_of_sessions_are_a_cause(before: Canon) -> None:
    now = before.of("long")
    other = replace(now, parameters={**now.parameters, "snowflake": {"WEEK_START": "1"}})
    lines = causes("long", other, now, before.graph, forms=lambda *_: (None, now))
    (line,) = lines
    assert line.startswith("parameters of sessions on snowflake differ: ")
    assert "WEEK_START 1 → 0" in line


def test_a_mart_of_which_no_form_is_known_is_named(write_package: Write, before: Canon) -> None:
    now = canon_of(write_package, long=LONG.replace("LEAST = 100", "LEAST = 120"))
    lines = causes(
        "longest",
        before.of("longest"),
        now.of("longest"),
        now.graph,
        forms=lambda name, _: (None, now.of(name)),
    )
    (line,) = lines
    assert line.startswith("long, which it reads, differs: ")
    assert line.endswith("long.py:12")


def test_a_long_difference_is_cut_short() -> None:
    texts = ["\n".join(f"{word} {n}" for n in range(40)) for word in ("a", "b")]
    old, new = (Canonical({"duckdb": {"": text}}) for text in texts)
    lines = difference(old, new, "duckdb")
    assert lines[:3] == ["--- proven", "+++ now", "@@ -1,40 +1,40 @@"]
    assert lines[20:] == ["… 63 lines more"]
    assert difference(old, old, "duckdb") == []
