"""Markdown beside declarations: which file is the text of which table."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.conftest import Write
from marts.core.authoring.tables import Mart, Source
from marts.core.catalog.documents import document_of_project, documents_of, missing_tables
from marts.core.errors import DefinitionError
from marts.core.project.loading import Declarations, load

SOURCES = """\
from marts import *

orders = source("orders", doc="O.", grain="id", columns=[string("id")])
"""
SALES = '''\
from marts import *


@mart(grain="id", columns=[string("id")])
def sales(orders):
    """Orders."""
    return orders
'''
FACTORY = '''\
from marts import *


def made(name):
    def define(orders):
        """Orders."""
        return orders

    define.__name__ = name
    return mart(grain="id", columns=[string("id")])(define)
'''


@pytest.fixture
def project(write_package: Write, tmp_path: Path) -> tuple[Declarations, Path]:
    """Return a package of two marts, one of which a function makes, and its folder."""
    package = write_package(
        sources=SOURCES,
        factory=FACTORY,
        **{
            "team/sales": SALES,
            "team/lists": "from ..factory import made\nlists = made('lists')\n",
        },
    )
    return load(package), tmp_path / package


def test_a_table_has_the_text_beside_it(project: tuple[Declarations, Path]) -> None:
    found, folder = project
    tables: dict[str, Source | Mart] = {**found.sources, **found.marts}
    assert {*documents_of(tables.values()).texts.values()} == {""}
    for name in ("orders.md", "team/sales.md", "team/lists.md", "team/another.md"):
        (folder / name).write_text(f"About {name}\n", "utf-8")
    documents = documents_of(tables.values())
    assert documents.texts == {
        "orders": "About orders.md\n",
        "sales": "About team/sales.md\n",
        "lists": "About team/lists.md\n",
    }
    assert missing_tables(documents.unused) == [
        "another.md in team is shown nowhere: no mart or source named another is declared beside it"
    ]


def test_a_text_beside_another_table_is_of_none(project: tuple[Declarations, Path]) -> None:
    found, folder = project
    for name in ("sales.md", "README.md", "NOTES.md", "team/README.md", "team/how-to.md"):
        (folder / name).write_text(f"About {name}\n", "utf-8")
    documents = documents_of([*found.sources.values(), *found.marts.values()])
    assert {*documents.texts.values()} == {""}
    assert documents.unused == (folder / "sales.md",)


def test_it_is_found_from_another_folder(
    project: tuple[Declarations, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, folder = project
    (folder / "team/sales.md").write_text("Sales.", "utf-8")
    (folder / "orders.md").write_text("Orders.", "utf-8")
    monkeypatch.chdir(folder / "team")
    documents = documents_of([found.marts["sales"], found.sources["orders"]])
    assert documents.texts == {"sales": "Sales.", "orders": "Orders."}


def test_a_project_has_the_text_of_its_package(project: tuple[Declarations, Path]) -> None:
    found, folder = project
    assert document_of_project(found.package) == ""
    (folder / "README.md").write_text("\ufeffAll of it.", "utf-8")
    assert document_of_project(found.package) == "All of it."


def test_a_text_in_another_encoding_is_named(project: tuple[Declarations, Path]) -> None:
    found, folder = project
    (folder / "team/sales.md").write_bytes("Umsätze".encode("latin-1"))
    with pytest.raises(DefinitionError, match=r"^sales\.md is not a text in UTF-8"):
        documents_of(found.marts.values())
