"""Packages that are declared wrongly, or stand beside files with names like ours."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.paths import BUNDLED
from support.processes import MARTS, Marts, unmeasured
from support.refusals import ASKED_WRONGLY, Refused, assert_says

pytestmark = pytest.mark.usefixtures("left_alone")

SOURCE = """
from marts import source, string

dim_customer = source(
    "dim_customer", doc="Customers.", grain="customer_key", columns=[string("customer_key")]
)
"""
MART = '''
from marts import mart, string

@mart(grain="{grain}", columns=[string("customer_key")])
def {name}({reads}):
    """Customers."""
    return {reads}
'''


def declared(name: str, *, reads: str, grain: str = "customer_key") -> str:
    """Return the code of a toy mart that has the rows it reads."""
    return MART.format(name=name, reads=reads, grain=grain)


NESTED = """
    length = dim_customer.customer_key.length()
    for _ in range({depth}):
        length = length.nullif(0)
    return dim_customer.filter(length > 0)
"""


def nested(depth: int) -> str:
    """Return the code of a mart with an expression within an expression, and so on."""
    head, _, _ = declared("first", reads="dim_customer").partition("    return")
    return head + NESTED.format(depth=depth)


ONE = declared("first", reads="dim_customer")
MISDECLARED = {
    "misspelt keyword of a mart": (
        {"first": ONE.replace("grain=", "grian=")},
        ["mart(…) takes no grian", "toy/first.py:4", "hint: did you mean grain?"],
    ),
    "misspelt keyword of a source, by another name": (
        {
            "sources": "import marts as m\n"
            + SOURCE.replace("= source(", "= m.source(").replace("doc=", "docs=")
        },
        ["source(…) takes no docs", "toy/sources.py:5", "hint: did you mean doc?"],
    ),
    "misspelt keyword of a check": (
        {
            "first": ONE.replace("from marts import", "from marts import row_check,").replace(
                "columns=", "checks=[row_check('c', offending=len, severty='warn')], columns="
            )
        },
        ["row_check(…) takes no severty", "toy/first.py:4", "hint: did you mean severity?"],
    ),
    "misspelt keyword of a column": (
        {"first": ONE.replace('("customer_key")', '("customer_key", nul=True)')},
        ["column customer_key takes no nul: it is string", "toy/first.py:4", "did you mean null?"],
    ),
    "two functions of one name": (
        {"first": ONE + ONE.partition("string\n")[2]},
        ["first is defined twice", "toy/first.py:4", "toy/first.py:9", "hint: remove or rename"],
    ),
    "a mart that a helper takes over": (
        {"first": ONE + "\ndef first():\n    pass\n"},
        ["first is defined twice", "toy/first.py:4", "toy/first.py:9"],
    ),
    "names that differ in case": (
        {"first": ONE, "FIRST": declared("FIRST", reads="dim_customer")},
        ["the same name to engines, which fold case", "toy/FIRST.py:4", "toy/first.py:4"],
    ),
    "cycle": (
        {"first": declared("first", reads="second"), "second": declared("second", reads="first")},
        ["the inputs form a cycle: first → second → first", "toy/first.py:", "toy/second.py:"],
    ),
    "grain is not a column": (
        {"first": declared("first", reads="dim_customer", grain="customer")},
        ["mart first is declared wrongly", "grain customer is not a column", "toy/first.py:4"],
    ),
    "unknown input": (
        {"first": declared("first", reads="dim_custommer")},
        ["mart first reads dim_custommer", "hint: did you mean dim_customer?"],
    ),
    "syntax error": (
        {"__init__": "def (:"},
        ["cannot import module toy", "SyntaxError: invalid syntax", "toy/__init__.py:1"],
    ),
    "an exit": (
        {"first": "import sys\nsys.exit(0)"},
        ["cannot import module toy.first", "SystemExit: 0", "toy/first.py:2", "hint: "],
    ),
    "nested too deeply to call": (
        {"first": nested(2_000)},
        [
            "mart first failed to build its expression",
            "RecursionError",
            "toy/first.py:11",
            "hint: nest",
        ],
    ),
    "nested too deeply to compile": (
        {"first": nested(300)},
        ["mart first is an expression nested too deeply", "toy/first.py:4", "hint: nest less"],
    ),
    "no mart": ({}, ["package toy declares no marts", "hint: "]),
    "another name than the file's": (
        {"second": declared("first", reads="dim_customer")},
        ["mart first is declared in second.py", "toy/second.py:4", "hint: move it to toy/first.py"],
    ),
}


@pytest.mark.parametrize(("modules", "facts"), MISDECLARED.values(), ids=MISDECLARED)
def test_misdeclared_marts_are_refused_with_file_and_line(
    modules: dict[str, str], facts: list[str], refused: Refused, tmp_path: Path
) -> None:
    (tmp_path / "toy").mkdir()
    for name, code in {"__init__": "", "sources": SOURCE, **modules}.items():
        (tmp_path / f"toy/{name}.py").write_text(code, "utf-8")
    words = ("run", "--package", "toy", "--data", BUNDLED)
    assert_says(refused(*words, code=ASKED_WRONGLY), *facts)


# Of folders and files with names like ours: a call leaves all of them alone.
OURS = ["backends", "fixtures", "tests", "marts", "rich", "queue.py", "cli.py", "uuid.py"]
TOY = SOURCE + declared("toy_customers", reads="dim_customer")


@pytest.mark.parametrize("package", ["toy", "shop.toy"])
def test_a_folder_with_names_like_ours_does_not_matter(
    package: str, marts: Marts, tmp_path: Path
) -> None:
    folder = tmp_path / package.replace(".", "/")
    folder.mkdir(parents=True)
    for each in (folder, *folder.parents):
        if each.is_relative_to(tmp_path / package.partition(".")[0]):
            (each / "__init__.py").touch()
    (folder / "toy_customers.py").write_text(TOY, "utf-8")
    for name in OURS:
        file = tmp_path / name if name.endswith(".py") else tmp_path / name / "__init__.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text("raise SystemExit(7)")
    done = marts("run", "--package", package, "--data", BUNDLED, "--database", "new.duckdb")
    assert done.returncode == 0, done.stderr
    assert "published 1 mart;" in done.stdout


def test_a_package_of_here_comes_before_an_installed_one(marts: Marts, tmp_path: Path) -> None:
    (tmp_path / "iniconfig").mkdir()
    (tmp_path / "iniconfig/__init__.py").touch()
    (tmp_path / "iniconfig/toy_customers.py").write_text(TOY, "utf-8")
    done = marts("ls", "--package", "iniconfig")
    assert "toy_customers" in done.stdout, done.stderr


@pytest.mark.parametrize(
    "file", ["cli.py", *(f"{name}/__init__.py" for name in ("marts", "backends", "fixtures"))]
)
def test_a_file_of_pythonpath_with_a_name_of_ours_does_not_matter(
    file: str, tmp_path: Path
) -> None:
    foreign = tmp_path / "lib" / file
    foreign.parent.mkdir(parents=True)
    foreign.write_text("raise SystemExit(7)")
    # Coverage would import the other `marts` when Python starts.
    variables = unmeasured() | {"MARTS_PACKAGE": "marts", "PYTHONPATH": str(tmp_path / "lib")}
    done = subprocess.run([MARTS, "ls"], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "customer_segments" in done.stdout
