"""Proof modules are found and imported beside whatever else a user has."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from marts.core.authoring.proofs import Twin
from marts.core.errors import DefinitionError, UsageError
from marts.core.project.loading import Declarations, load
from marts.core.project.proof_modules import for_proof
from marts.core.project.settings import Settings, settings_of_file

Write = Callable[[str, str], Path]
TWIN = """
    from marts import twin

    @twin("{mart}")
    def again(as_of):
        return {result}
"""
NONE = Declarations("nothing_at_all", {}, {})


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of a project."""

    def written(name: str, text: str) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), "utf-8")
        return file

    return written


def twins(folder: Path, *places: str, project: Declarations = NONE) -> dict[str, object]:
    """Return what each mart's twin returns, of a project in a folder."""
    named = {"proof": list(places)} if places else {}
    settings = settings_of_file(named, folder / "pyproject.toml")
    found = [each for each in for_proof(project, settings) if isinstance(each, Twin)]
    assert len({each.mart for each in found}) == len(found)
    return {each.mart: each(None) for each in found}


LAYOUTS = {
    "a sibling by its name": {"tests/proof/helpers.py": "from helpers import VALUE"},
    "a relative one without __init__": {"tests/proof/helpers.py": "from .helpers import VALUE"},
    "packages of tests": {
        "tests/__init__.py": "",
        "tests/proof/__init__.py": "",
        "tests/shared.py": "from ..shared import VALUE",
    },
    "from the project's folder": {
        "tests/__init__.py": "",
        "tests/proof/__init__.py": "",
        "tests/proof/helpers.py": "from tests.proof.helpers import VALUE",
    },
    "a namespace": {"tests/proof/helpers.py": "from proof.helpers import VALUE"},
    "the name of a module that is loaded already": {
        "tests/proof/compare_cards.py": "from compare_cards import VALUE"
    },
    "the name of a library": {
        "tests/proof/pandas.py": "import pandas; VALUE = len(pandas.Series(range(7)))"
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_module_finds_its_helpers(
    layout: str, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write("elsewhere/compare_cards.py", "VALUE = 1")
    monkeypatch.syspath_prepend(other.parent)
    loaded = __import__("compare_cards")
    for name, text in LAYOUTS[layout].items():
        write(name, "VALUE = 7\n" if text else "")
        if text:
            write(
                "tests/proof/sales.py",
                text + "\n" + dedent(TWIN.format(mart="sales", result="VALUE")),
            )
    assert twins(tmp_path) == {"sales": 7}
    assert sys.modules["compare_cards"] is loaded
    assert not {"helpers", "tests.proof.helpers"} & sys.modules.keys()


def test_folders_with_modules_of_the_same_names_do_not_meet(write: Write, tmp_path: Path) -> None:
    for number, folder in enumerate(("east", "west")):
        write(f"{folder}/utils.py", f"VALUE = {number}")
        write(
            f"{folder}/sales.py",
            f"import utils\n{dedent(TWIN.format(mart=folder, result='utils.VALUE'))}",
        )
    assert twins(tmp_path, "east", "west") == {"east": 0, "west": 1}


def test_a_file_is_read_anew_and_a_test_only_if_it_declares(write: Write, tmp_path: Path) -> None:
    write("tests/proof/sales.py", TWIN.format(mart="sales", result=1))
    write("tests/proof/test_sales.py", "import no_such_fixture_library")
    write("tests/proof/deep/test_more.py", TWIN.format(mart="more", result=3))
    assert twins(tmp_path) == {"more": 3, "sales": 1}
    write("tests/proof/sales.py", TWIN.format(mart="sales", result=2))
    assert twins(tmp_path)["sales"] == 2


def test_a_twin_beside_its_mart_is_found_once(write: Write, tmp_path: Path) -> None:
    write("shop_of_proofs/__init__.py", "")
    write("shop_of_proofs/sales.py", TWIN.format(mart="sales", result=1))
    sys.path.append(str(tmp_path))
    project = load("shop_of_proofs")
    assert twins(tmp_path, project=project) == {"sales": 1}
    # Also if its folder is named again, and if another module has it.
    write("more/again.py", "from shop_of_proofs.sales import again")
    assert twins(tmp_path, "shop_of_proofs", "more", project=project) == {"sales": 1}


def test_twins_that_are_declared_in_a_loop_are_several(write: Write, tmp_path: Path) -> None:
    write(
        "tests/proof/all.py",
        """
        from marts import twin

        a, b = (twin(mart)(lambda as_of, mart=mart: mart) for mart in ("a", "b"))
        """,
    )
    assert twins(tmp_path) == {"a": "a", "b": "b"}


def test_there_may_be_none(tmp_path: Path) -> None:
    assert twins(tmp_path) == {}
    of_another = replace(Settings(folder=tmp_path), proof=())
    assert for_proof(NONE, of_another) == ()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("x = 1\nraise ValueError('no')", 2, "ValueError: no"),
        ("x = 1\nimport no_such_library", 2, "No module named 'no_such_library'"),
        ("x = 1\nfrom .helper import x", 2, "did you mean helpers?"),
        ("import pandas\nbool(pandas.NA)", 2, "boolean value of NA is ambiguous"),
        ("def (", 1, "SyntaxError: "),
        ("from marts import twin\n\n@twin\ndef sales(orders): ...", 3, "a twin names no mart"),
        ("from marts import twin\n\n@twin('s')\ndef sales(*o): ...", 3, "parameter *o is not a"),
    ],
)
def test_what_cannot_be_imported_is_an_error_with_its_line(
    text: str, line: int, words: str, write: Write, tmp_path: Path
) -> None:
    write("tests/proof/helpers.py", "")
    write("tests/proof/sales.py", text)
    with pytest.raises(DefinitionError) as caught:
        twins(tmp_path)
    assert words in str(caught.value)
    assert f"tests/proof/sales.py:{line}" in str(caught.value)


def test_a_place_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"tool\.marts\.proof in .* names .*qa, which does not"):
        twins(tmp_path, "qa")
