"""A project's package is found in its folder or in src/, and never replaces what marts needs."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from marts.core.errors import UsageError
from marts.core.project.loading import load
from marts.core.project.packages import home_of, import_from


def written(folder: Path, name: str, code: str = "") -> Path:
    file = folder / name / "__init__.py"
    file.parent.mkdir(parents=True)
    file.write_text(code, "utf-8")
    return file


@pytest.mark.parametrize("layout", [".", "src"])
def test_a_package_is_found_before_another_one_of_its_name(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / layout, "shop_of_this_test")
    written(tmp_path / "installed", "shop_of_this_test", "raise SystemExit(7)")
    sys.path.insert(0, str(tmp_path / "installed"))
    # Beside a source folder, one of the same name without a module is only a folder.
    (tmp_path / "shop_of_this_test").mkdir(exist_ok=True)
    # What another test has imported stays away.
    monkeypatch.delitem(sys.modules, "shop_of_this_test", raising=False)
    import_from(tmp_path, "shop_of_this_test.sales")
    found = importlib.import_module("shop_of_this_test").__file__
    monkeypatch.delitem(sys.modules, "shop_of_this_test")
    assert found == str(file.resolve())


def test_what_else_is_in_the_folder_comes_last(tmp_path: Path) -> None:
    written(tmp_path / "src", "shop")
    import_from(tmp_path, "shop")
    assert sys.path[-2:] == [str(tmp_path / "src"), str(tmp_path)]
    assert home_of(tmp_path, "nowhere") == tmp_path


def test_two_packages_of_one_name_are_refused(tmp_path: Path) -> None:
    files = [written(tmp_path / layout, "shop") for layout in (".", "src")]
    with pytest.raises(UsageError, match="there are two packages shop") as caught:
        import_from(tmp_path, "shop")
    assert caught.value.facts == tuple(map(str, files))


@pytest.mark.parametrize("layout", [".", "src"])
@pytest.mark.parametrize(
    ("name", "why", "hint"),
    [
        ("statistics", "has the name of a module of Python", "statistics_marts"),
        ("duckdb", "has the name of a module of duckdb, which marts needs", "duckdb_marts"),
        ("snowflake", "a module of snowflake-connector-python, which", "snowflake_marts"),
        ("dateutil", "a module of python-dateutil, which marts needs", "dateutil_marts"),
        ("marts", "is that of marts itself, but there is another one here", "shop_marts"),
    ],
)
def test_a_package_that_marts_would_import_instead_is_refused(
    name: str, why: str, hint: str, layout: str, tmp_path: Path
) -> None:
    file = written(tmp_path / layout, name)
    with pytest.raises(UsageError, match=f"^package {name} .*{why}") as caught:
        import_from(tmp_path, f"{name}.sales")
    assert caught.value.facts == (str(file),)
    assert str(caught.value.hint).endswith(f"for example to {hint}")


def test_a_package_of_another_project_that_is_loaded_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path / "one"), *sys.path])
    loaded = written(tmp_path / "one", "loaded_shop")
    importlib.import_module("loaded_shop")
    file = written(tmp_path / "two", "loaded_shop")
    import_from(tmp_path / "one", "loaded_shop")
    with pytest.raises(UsageError, match="another package loaded_shop is loaded already") as caught:
        import_from(tmp_path / "two", "loaded_shop")
    assert caught.value.facts == (f"loaded: {loaded}", f"the project's: {file}")


def test_a_name_that_nobody_needs_may_be_another_distributions(tmp_path: Path) -> None:
    # Of the test's environment, and not loaded here; many distributions bring such a folder.
    written(tmp_path, "py", "")
    sys.modules.pop("py", None)
    import_from(tmp_path, "py")


def test_our_own_package_is_where_marts_is(tmp_path: Path) -> None:
    import_from(tmp_path, "marts")
    assert Path(home_of(tmp_path, "marts"), "marts/core/__init__.py").is_file()
    assert str(tmp_path) not in sys.path


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("shop-marts", "name the package, and its folder, shop_marts: Python imports no name with"),
        ("shop.big-sales", "name the package, and its folder, shop.big_sales: "),
        ("2-shops", "name it as Python imports it: shop, or company.shop"),
    ],
)
def test_a_name_with_a_dash_has_a_hint(name: str, hint: str, tmp_path: Path) -> None:
    import_from(tmp_path, name)
    with pytest.raises(UsageError, match="is not a package name") as caught:
        load(name)
    assert str(caught.value.hint).startswith(hint)
