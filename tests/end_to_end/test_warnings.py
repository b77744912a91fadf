"""What engines would compute differently: a run warns of it, or refuses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.paths import REPOSITORY
from support.processes import Marts, Result

ASKED_WRONGLY = 2
WARNED = '''
import ibis
from marts import int64, mart, source, string

categories = source(
    "dim_merchant_category", doc="C.", grain="category_key", columns=[int64("category_key")]
)

@mart(grain="category_key", columns=[int64("category_key"), string("{name}")])
def {name}(dim_merchant_category):
    """Warned of."""
    return dim_merchant_category.mutate({name}={value})
'''


def warned(called: Marts, folder: Path, value: str) -> tuple[Result, Result, tuple[object, ...]]:
    """Compile and run a mart; return both calls, and how to run it again."""
    (folder / "warned").mkdir()
    (folder / "warned/__init__.py").touch()
    (folder / "warned/label.py").write_text(WARNED.format(name="label", value=value), "utf-8")
    words = ("run", "--package", "warned", "--data", REPOSITORY / "fixtures")
    return called("compile", *words[1:]), called(*words, "--json"), words


def test_a_run_warns_of_what_compiling_does_and_publishes(called: Marts, tmp_path: Path) -> None:
    key = "dim_merchant_category.category_key"
    compiled, done, words = warned(called, tmp_path, f'{key}.cast("float64").cast("string")')
    assert done.returncode == 0, done.stderr
    (warning,) = json.loads(done.stdout)["warnings"]
    assert (warning["table"], warning["rule"]) == ("label", "text_of_a_number")
    assert warning["place"] == "warned/label.py:12"
    assert warning["message"] in done.stderr
    assert warning["message"] in compiled.stderr
    assert json.loads((tmp_path / "target/run_results.json").read_text())["warnings"] == [warning]
    # What is not built is not warned of again.
    assert warning["message"] not in called(*words).stdout


@pytest.mark.parametrize("value", ["ibis.now()", "ibis.random()"])
def test_what_differs_from_run_to_run_is_not_published(
    value: str, called: Marts, tmp_path: Path
) -> None:
    compiled, done, _ = warned(called, tmp_path, f'{value}.cast("string")')
    assert "differs from run to run" in compiled.stderr
    assert done.returncode == ASKED_WRONGLY
    error = json.loads(done.stdout)
    assert "differs from run to run" in error["error"]
    assert error["facts"] == ["warned/label.py:12"]
