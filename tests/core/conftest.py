"""Fixtures of the core's tests: packages written for one test, and the bicycle shop."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from workshop import Workshop, shop_in

Write = Callable[..., str]

_numbers = itertools.count()


@pytest.fixture
def write_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write a package of modules that can be imported, and return its name.

    A module's name may have a folder: `write(**{"sales/totals": "…"})`.
    """
    package = f"written_{next(_numbers)}"
    monkeypatch.syspath_prepend(tmp_path)

    def write(init: str = "", **modules: str) -> str:
        root = tmp_path / package
        for name, text in {"__init__": init, **modules}.items():
            path = root / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.write_text(dedent(text), "utf-8")
        return package

    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """Return the bicycle shop with its usual rows, nothing built."""
    return shop_in(tmp_path)
