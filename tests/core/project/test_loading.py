"""A project is what a package declares: found by name, refused where it contradicts itself."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from core.conftest import Write
from marts.core.errors import DefinitionError, UsageError
from marts.core.project.loading import load

BIKES = """
from marts import *
bikes = source("bikes", doc="Bikes.", grain="bike", columns=[string("bike")])
"""


def mart_named(name: str, *inputs: str) -> str:
    return f"""
from marts import *
@mart(grain="bike", columns=[string("bike")])
def {name}({", ".join(inputs)}):
    "A mart."
    return bikes
"""


def refusal(package: str) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        load(package)
    return str(caught.value).splitlines()


def test_declarations_are_found_in_every_folder(write_package: Write) -> None:
    package = write_package(
        sources=BIKES,
        **{
            "at_the_top": mart_named("at_the_top", "bikes"),
            "sales/totals": mart_named("totals", "bikes"),
            "sales/by_month/months": mart_named("months", "bikes"),
        },
    )
    project = load(package)
    assert project.package == package
    assert set(project.sources) == {"bikes"}
    assert set(project.marts) == {"at_the_top", "totals", "months"}
    assert project.marts["months"].module == f"{package}.sales.by_month.months"


def test_a_declaration_may_be_imported_by_another_module(write_package: Write) -> None:
    package = write_package(sources=BIKES, totals="from .sources import bikes")
    assert set(load(package).sources) == {"bikes"}


def test_the_toy_shop_loads() -> None:
    project = load("toy_shop")
    assert set(project.sources) == {"customers", "orders", "reviews"}
    assert set(project.marts) == {
        "int_paid_orders",
        "customer_totals",
        "model_sales",
        "shop_overview",
    }


# What is refused


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        (mart_named("twice"), mart_named("twice"), "twice is declared twice"),
        (BIKES, BIKES, "bikes is declared twice"),
        (BIKES, mart_named("bikes"), "bikes is both a source and a mart"),
    ],
)
def test_a_name_is_declared_once(first: str, second: str, what: str, write_package: Write) -> None:
    package = write_package(first=first, second=second)
    summary, *facts = refusal(package)
    locations = [fact for fact in facts if not fact.startswith("hint: ")]
    assert summary == what
    assert [location.rpartition("/")[2].split(".py:")[0] for location in locations] == [
        "first",
        "second",
    ]
    assert all(location.rpartition(":")[2].isdigit() for location in locations)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (mart_named("wheels"), mart_named("Wheels")),
        (BIKES, mart_named("Bikes")),
        (BIKES, BIKES.replace('"bikes"', '"BIKES"')),
        (mart_named("straße"), mart_named("strasse")),
    ],
    ids=["marts", "source and mart", "sources", "in upper case alone"],
)
def test_names_that_an_engine_would_fold_into_one_are_refused(
    first: str, second: str, write_package: Write
) -> None:
    package = write_package(first=first, second=second)
    summary, *locations, hint = refusal(package)
    assert summary.endswith(" are the same name to engines, which fold case")
    assert [location.rpartition("/")[2].split(".py:")[0] for location in locations] == [
        "first",
        "second",
    ]
    assert hint.startswith("hint: rename the ")


@pytest.mark.parametrize(
    ("module", "hint"),
    [
        ("overview", "wheels.py, or rename the function to overview"),
        ("Wheels", "wheels.py, or rename the function to Wheels"),
        ("sales/__init__", "sales/wheels.py"),
    ],
)
def test_a_mart_is_in_a_module_of_its_name(module: str, hint: str, write_package: Write) -> None:
    package = write_package(sources=BIKES, **{module: mart_named("wheels", "bikes")})
    summary, location, remedy = refusal(package)
    file = module.rpartition("/")[2]
    assert summary == f"mart wheels is declared in {file}.py, not in a file of its name"
    assert f"{package}/{module}.py:" in location
    assert remedy.startswith("hint: move it to ")
    assert remedy.endswith(hint)


FACTORY = """
from marts import *
def with_wheels(name):
    def rows(bikes):
        "A mart."
        return bikes
    rows.__name__ = name
    return mart(grain="bike", columns=[string("bike")])(rows)
"""


def test_a_mart_may_be_a_factorys_where_the_file_of_its_name_holds_it(write_package: Write) -> None:
    held = "from .factory import with_wheels\nwheels = with_wheels('wheels')\n"
    package = write_package(sources=BIKES, factory=FACTORY, wheels=held)
    assert set(load(package).marts) == {"wheels"}
    elsewhere = write_package(sources=BIKES, factory=FACTORY + "made = with_wheels('made')\n")
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
    assert refusal(elsewhere)[0].startswith("mart made is declared in factory.py")


@pytest.mark.parametrize("name", ["as_of", "this"])
@pytest.mark.parametrize("kind", ["mart", "source"])
def test_a_table_cannot_have_a_reserved_name(name: str, kind: str, write_package: Write) -> None:
    module = mart_named(name) if kind == "mart" else BIKES.replace('"bikes"', f'"{name}"')
    package = write_package(shop=module)
    summary, location, hint = refusal(package)
    assert summary.startswith(f"{name} is reserved for ")
    assert hint == f"hint: give the {kind} another name"
    assert f"{package}/shop.py:3" in location


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("bikes = sauce('bikes')", "NameError: name 'sauce' is not defined"),
        ("def broken(:", "SyntaxError: invalid syntax"),
        ("import no_such_driver", "ModuleNotFoundError: No module named 'no_such_driver'"),
        ("from marts import martt", "ImportError: cannot import name 'martt'"),
        ("from marts import money; money('price', 2)", "TypeError: money() takes 1 positional"),
        ("{}['bikes']", "KeyError: 'bikes'"),
        ("import sys; sys.exit(1)", "SystemExit: 1"),
        ("exit()", "SystemExit"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("import json; json.loads('{')", "JSONDecodeError: "),
    ],
)
def test_a_module_that_does_not_import_is_named_with_its_line(
    line: str, error: str, write_package: Write
) -> None:
    package = write_package(shop=f"# A shop.\n{line}\n")
    summary, what, location, *_ = refusal(package)
    assert summary == f"cannot import module {package}.shop"
    assert what.strip().startswith(error)
    assert location.endswith(f"{package}/shop.py:2")


def test_a_module_that_exits_is_refused_with_a_hint_for_scripts(write_package: Write) -> None:
    package = write_package(shop="raise SystemExit")
    assert '`if __name__ == "__main__":`' in refusal(package)[-1]


def test_an_interrupted_import_is_not_reported_as_a_mistake(write_package: Write) -> None:
    package = write_package(shop="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load(package)


def test_a_slip_in_a_declarations_arguments_names_the_authors_line(write_package: Write) -> None:
    package = write_package(shop="from marts import *\nKEY = string('key', values=3)\n")
    assert refusal(package)[-1].endswith(f"{package}/shop.py:2")


def test_a_package_that_does_not_import_is_named(write_package: Write) -> None:
    package = write_package("1 / 0")
    assert refusal(package)[:2] == [
        f"cannot import module {package}",
        "  ZeroDivisionError: division by zero",
    ]


@pytest.mark.parametrize("name", ["no_such_shop", "no_such_shop.sales"])
def test_a_missing_package_is_the_callers_slip(name: str) -> None:
    with pytest.raises(UsageError, match=f"there is no package {name}"):
        load(name)


@pytest.mark.parametrize("name", ["", ".", "./shop", "shop/", "shop.", "two words"])
def test_what_is_not_a_package_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not a package name"):
        load(name)


def test_a_package_may_be_within_another(write_package: Write) -> None:
    package = write_package(**{"shops/sources": BIKES, "shops/wheels": mart_named("wheels")})
    project = load(f"{package}.shops")
    assert (set(project.sources), set(project.marts)) == ({"bikes"}, {"wheels"})


def test_a_folder_without_an_init_at_the_top_is_not_overlooked(
    write_package: Write, tmp_path: Path
) -> None:
    package = write_package(sources=BIKES)
    (tmp_path / package / "__init__.py").unlink()
    with pytest.raises(DefinitionError, match="has modules but is not a package"):
        load(package)


@pytest.mark.parametrize("folder", [".ipynb_checkpoints", "sales/.hidden", "notes-2025"])
def test_folders_that_python_cannot_import_from_are_left_alone(
    folder: str, write_package: Write, tmp_path: Path
) -> None:
    package = write_package(sources=BIKES, **{"sales/wheels": mart_named("wheels")})
    (tmp_path / package / folder).mkdir()
    (tmp_path / package / folder / "wheels.py").write_text("1 / 0\n", "utf-8")
    assert set(load(package).marts) == {"wheels"}


def test_a_module_is_not_a_package(write_package: Write) -> None:
    package = write_package(sources=BIKES)
    with pytest.raises(UsageError, match=rf"{package}\.sources"):
        load(f"{package}.sources")


def test_a_folder_that_is_not_a_package_is_refused(write_package: Write) -> None:
    package = write_package(shop="X = 1")
    folder = Path(importlib.import_module(package).__file__ or "").parent / "risk"
    folder.mkdir()
    (folder / "metric.py").write_text("X = 1\n", "utf-8")
    with pytest.raises(DefinitionError, match="has modules but is not a package") as caught:
        load(package)
    assert caught.value.hint == f"create {folder / '__init__.py'}"
