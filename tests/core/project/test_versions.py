"""Two versions of a package in one process: each has its own modules, and leaves the other's."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import ibis
import pytest

from marts.core.authoring.expressions import FixedAsOf
from marts.core.errors import DefinitionError, UsageError
from marts.core.project.graph import Graph, link
from marts.core.project.loading import load
from marts.core.project.packages import import_from
from marts.core.project.versions import Version
from marts.core.query.definition import defined_table, logical_tables
from support.workshop import AS_OF

PACKAGE = "shop_in_versions"
SOURCES = """
from marts import int64, source

orders = source("orders", doc="Orders.", grain="order_id", columns=[int64("order_id")])
"""
MART = '''
import ibis
from beside_in_versions import BESIDE
from marts import int64, mart
from shop_in_versions import rules


@mart(grain="order_id", columns=[int64("order_id")])
def large(orders):
    """Orders, with what three modules say of this version."""
    from shop_in_versions.late import LATE

    return orders.mutate(said=ibis.literal(f"{rules.RULE} {BESIDE} {LATE}"))
'''

EVERY_CUSTOMER = '''
from marts import mart
from marts import shared as c


@mart(grain="customer_id", columns=[c.customer_id])
def every_customer(dim_customer):
    """Customers."""
    return dim_customer.select("customer_id").distinct()
'''


def write(folder: Path, word: str, *, layout: str = ".") -> Path:
    """Write a project whose modules all say a word."""
    package = folder / layout / PACKAGE
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "sources.py").write_text(SOURCES, "utf-8")
    (package / "large.py").write_text(MART, "utf-8")
    (package / "rules.py").write_text(f'RULE = "{word}"\n', "utf-8")
    (package / "late.py").write_text(f'LATE = "{word}"\n', "utf-8")
    (folder / layout / "beside_in_versions.py").write_text(f'BESIDE = "{word}"\n', "utf-8")
    return folder


def said(graph: Graph) -> str:
    """Return what the modules of a version say, when its mart is called now."""
    table = defined_table(
        graph.project.marts["large"], logical_tables(graph.project), FixedAsOf(AS_OF)
    )
    literals = table.op().find(ibis.expr.operations.Literal)
    (text,) = (each.value for each in literals)
    return str(text)


def loaded(folder: Path) -> Graph:
    import_from(folder, PACKAGE)
    return link(load(PACKAGE))


def imports() -> tuple[object, ...]:
    """Return what Python has imported of the project, and where it looks for more."""
    modules = {name: id(each) for name, each in sys.modules.items() if "_in_versions" in name}
    return modules, [*sys.path], [*sys.meta_path]


@pytest.mark.parametrize("layouts", [(".", "."), ("src", "."), (".", "src")])
def test_each_version_has_its_own_modules(layouts: tuple[str, str], tmp_path: Path) -> None:
    now = loaded(write(tmp_path / "now", "now", layout=layouts[0]))
    before = imports()
    version = Version(
        PACKAGE, write(tmp_path / "then", "then", layout=layouts[1]), tmp_path / "now"
    )
    then = version.load()
    for _ in range(2):
        assert imports() == before
        with version.imported():
            assert said(then) == "then then then"
            assert importlib.import_module(f"{PACKAGE}.rules").RULE == "then"
        assert said(now) == "now now now"
        # It has imported another module meanwhile.
        before = imports()
        assert importlib.import_module(f"{PACKAGE}.rules").RULE == "now"


def test_one_module_is_read_from_another_file(tmp_path: Path) -> None:
    now = loaded(write(tmp_path / "now", "now"))
    file = tmp_path / "other_rules.txt"
    file.write_text('RULE = "other"\n', "utf-8")
    version = Version(PACKAGE, tmp_path / "now", tmp_path / "now", {f"{PACKAGE}.rules": file})
    then = version.load()
    with version.imported():
        assert said(then) == "other now now"
    assert said(now) == "now now now"


def test_an_error_leaves_the_version_in_use(tmp_path: Path) -> None:
    loaded(write(tmp_path / "now", "now"))
    folder = write(tmp_path / "then", "then")
    (folder / PACKAGE / "rules.py").write_text("1 / 0\n", "utf-8")
    before = imports()
    with pytest.raises(DefinitionError, match="cannot import module"):
        Version(PACKAGE, folder, tmp_path / "now").load()
    assert imports() == before


def test_a_version_that_would_be_mixed_with_an_installed_one_is_refused(tmp_path: Path) -> None:
    loaded(write(tmp_path / "now", "now"))
    sys.path.insert(0, str(write(tmp_path / "installed", "installed")))
    (tmp_path / "then").mkdir()
    with pytest.raises(UsageError, match=f"two versions of {PACKAGE} would be mixed") as caught:
        Version(PACKAGE, tmp_path / "then", tmp_path / "now").load()
    assert str(tmp_path / "installed") in caught.value.facts[0]


def test_our_own_package_has_another_version_of_its_marts_and_the_same_framework(
    tmp_path: Path,
) -> None:
    now = link(load("marts"))
    for name in ("sources", "shared"):
        text = Path(sys.modules[f"marts.{name}"].__file__ or "").read_text("utf-8")
        (tmp_path / "marts").mkdir(exist_ok=True)
        (tmp_path / f"marts/{name}.py").write_text(text, "utf-8")
    (tmp_path / "marts/every_customer.py").write_text(EVERY_CUSTOMER, "utf-8")
    (tmp_path / "marts/__init__.py").touch()
    shared = sys.modules["marts.shared"]
    then = Version("marts", tmp_path, Path(sys.modules["marts"].__file__ or "").parents[1]).load()
    assert [*then.project.marts] == ["every_customer"]
    assert sys.modules["marts.shared"] is shared is importlib.import_module("marts").shared
    assert link(load("marts")).order == now.order
