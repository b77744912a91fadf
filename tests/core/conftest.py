"""Fixtures of the core's tests: packages written for one test, and the bicycle shop."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest
from ibis.expr.types import Table

from marts import mart, source, string
from marts.core.project.graph import Graph
from support.workshop import Workshop, project_of, shop_in

Write = Callable[..., str]

_numbers = itertools.count()


@pytest.fixture
def write_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
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

    return write


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """Return the bicycle shop with its usual rows, nothing built."""
    return shop_in(tmp_path)


@pytest.fixture(scope="session")
def tangle() -> Graph:
    """Return layers of three marts that each read the three before, then a chain of marts."""
    bike = string("bike", doc="its frame's number")
    bikes = source("bikes", doc="Bikes.", grain="bike", columns=[bike])
    inputs: dict[str, tuple[str, ...]] = {f"{n}0": ("bikes",) for n in "abc"}
    inputs |= {f"{n}{d}": tuple(f"{m}{d - 1}" for m in "abc") for d in range(1, 60) for n in "abc"}
    inputs |= {f"z{d}": (f"z{d - 1}" if d else "a59",) for d in range(1_200)}

    @mart(grain="bike", columns=[string("bike")])
    def made(bikes: Table) -> Table:
        """Return some bikes."""
        return bikes

    marts = (
        replace(made, name=name, parameters=reads, define=lambda first, *_: first)
        for name, reads in inputs.items()
    )
    return project_of(bikes, *marts)
