"""Code that may read more than itself is told from code that cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from marts.core.project.purity import impurity
from support.paths import TESTS

PURE = '''
from __future__ import annotations

import datetime
import ibis
import ibis.expr.types as ir
from dataclasses import dataclass
from ibis import _
from marts import Table, int64, labels, mart, ratio
from shop import limits, other as o
from shop.limits import LOW as low, _private
from . import sources
from .deep.module import *

DAYS = [each for each in range(3)]
size = labels("size", (_.amount < low, "small"), else_="large")


@dataclass
class Rule:
    """A rule."""

    since: datetime.date

    def of(self, t: ir.Table) -> ir.BooleanValue:
        """Tell."""
        match self.since:
            case datetime.date() as day:
                return t.day >= ibis.date(day)
            case [*rest]:
                return t.all(), rest


@mart(grain="id", columns=[int64("id")])
def sizes(orders: Table) -> Table:
    """Sizes."""
    try:
        return orders.mutate(size=size.of(orders), t=orders.time.truncate("D"))
    except ValueError as error:
        raise TypeError(str(error)) from error
'''

IMPURE = [
    "import os",
    "import os.path as p",
    "import pandas as pd",
    "import ibis.backends.duckdb",
    "from ibis import read_csv",
    "from ibis import *",
    "from ibis.config import x",
    "from datetime import os",
    "import marts.core.run.files",
    "from marts import core",
    "from marts import Project",
    "from marts.core.project import settings",
    "import importlib",
    "from random import random",
    "import limits",
    "x = open('x').read()",
    "x = eval('1')",
    "x = __import__('os')",
    "x = getattr(int, 'x')",
    "x = hash('x')",
    "x = __file__",
    "x = __builtins__",
    "def f(open):\n    pass\nx = open('x')",
    "import datetime\nx = datetime.date.today()",
    "import datetime\nf = datetime.datetime.now",
    "import datetime\nmatch datetime.date:\n    case type(today=f):\n        x = f()",
    "import ibis\nx = ibis.read_parquet('x')",
    "import ibis\nx = ibis.util.os",
    "import ibis\nx = ibis.duckdb.connect()",
    "import dataclasses\nx = dataclasses.sys.argv",
    "import dataclasses\nx = '{0.sys.argv}'.format(dataclasses)",
    "x = ().__class__.__base__",
    "from shop.limits import *\nx = unknown",
    "async def f():\n    pass",
]


def folder_of(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "module.py").write_text(text)
    return folder


def test_what_reads_only_itself_is_pure(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, PURE)
    assert impurity(folder) is None


@pytest.mark.parametrize("text", IMPURE)
def test_what_may_read_more_is_said_with_its_place(tmp_path: Path, text: str) -> None:
    folder = folder_of(tmp_path, text)
    place, _, what = (impurity(folder) or "").partition(" has ")
    assert place.startswith(f"{folder / 'module.py'}:")
    assert what


def test_code_that_cannot_be_read_is_not_pure(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "x = (")
    assert impurity(folder) == f"{folder / 'module.py'} cannot be read"
    (folder / "fast.abi3.so").touch()
    assert impurity(folder) == f"{folder / 'fast.abi3.so'} is not Python's source"
    (folder / "a_folder").symlink_to(tmp_path)
    assert impurity(folder) == f"{folder / 'a_folder'} is a link"


def test_our_marts_and_those_of_the_toy_shop_are_pure() -> None:
    assert impurity(TESTS.parent / "marts") is None
    assert impurity(TESTS / "toy_shop") is None
