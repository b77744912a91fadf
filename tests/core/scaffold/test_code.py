"""Written code is as ruff formats it, and means what was given."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from marts.core.scaffold.code import literal
from marts.core.scaffold.declarations import NewCheck, NewColumn, NewSource
from marts.core.scaffold.sources_file import sources_file

TEXTS = ["plain", 'say "hi"', "it's", "both ' and \" here", "back\\slash", "new\nline", "ü\u2028x"]
LONG = "a text that goes on and on, " * 5


@pytest.mark.parametrize("text", TEXTS)
def test_a_literal_is_its_text(text: str) -> None:
    assert ast.literal_eval(literal(text)) == text


def test_a_file_of_sources_is_formatted() -> None:
    values = tuple(f"value number {number}" for number in range(9))
    columns = [
        *(NewColumn(name=f"c{n}", type="string", doc=text) for n, text in enumerate(TEXTS)),
        NewColumn(name="long", type="decimal(18, 2)", doc=LONG, null=True, at_least=0, at_most=9),
        NewColumn(name="few", type="string", values=values[:3], notes=(LONG, "and more")),
        NewColumn(name="many", type="string", values=values, unique=True, source_name="Many"),
        NewColumn(name="at", type="timestamp", zone="UTC"),
    ]
    checks = [
        NewCheck(columns=("c0",), to="other.key"),
        NewCheck(columns=("c0", "c1"), severity="warn"),
        NewCheck(columns=("few",), to=f"{'other' * 12}.key", severity="warn", threshold="1%"),
    ]
    sources = [
        NewSource(name="date", doc=LONG, columns=tuple(columns), grain=("c0",), left_out=(LONG,)),
        NewSource(name="b", doc="B.", columns=tuple(columns), checks=tuple(checks), optional=True),
        NewSource(name="c", doc="C.", columns=tuple(columns[:1]), grain=("c0", "c1")),
    ]
    code = sources_file(sources, about=LONG)
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=100", "--diff"]
    done = subprocess.run([*command, "-"], input=code, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "date_ = source(" in code
