"""The texts beside our marts: each metric has one, and what they name exists."""

from __future__ import annotations

import re

import pytest

from marts.core.authoring.tables import Mart, Source
from marts.core.catalog.documents import document_of_project, documents_of
from support.engines import GRAPH

MARTS = {
    name: mart
    for name, mart in GRAPH.project.marts.items()
    if not mart.is_temporary and not mart.is_intermediate
}
TABLES: dict[str, Source | Mart] = {**GRAPH.project.sources, **MARTS}
PROJECT = document_of_project("marts")
DOCUMENTS = documents_of(MARTS.values()).texts
CODE = re.compile(r"`([^`]+)`")
NAME = re.compile(r"[a-z_][a-z0-9_]*(?:\.[a-z_]+)?")
WORDS = {"as_of", "null", "and", "n", "days", "decimal", "float64", "int_", "latest_"}
"""What is in code, but not a name of ours."""
NO_METRIC = re.compile(
    r"customer_key|.*_date|(first|last|full)_name|email|age|state|city|card_type"
)


def columns_of(table: str) -> set[str]:
    return {column.name for column in TABLES[table].columns}


def names_in(text: str) -> set[str]:
    """Return the names in the code of a text, without what is quoted there."""
    spans = (re.sub(r"'[^']*'", "", span) for span in CODE.findall(text))
    return {name for span in spans for name in NAME.findall(span)} - WORDS


def is_known(name: str, of: set[str]) -> bool:
    table, _, column = name.partition(".")
    if column:
        return table in TABLES and column in columns_of(table)
    return name in of or name in TABLES


@pytest.mark.parametrize("mart", MARTS)
def test_a_text_names_what_exists(mart: str) -> None:
    named = names_in(DOCUMENTS[mart])
    assert named
    assert [name for name in named if not is_known(name, columns_of(mart))] == []


def test_the_text_of_the_project_names_every_mart_and_what_exists() -> None:
    named = names_in(PROJECT)
    assert {*MARTS} <= named
    ours = {"customer_id", "metric_calculated_date"}
    assert [name for name in named if not is_known(name, ours)] == []


@pytest.mark.parametrize("mart", MARTS)
def test_every_metric_has_a_text(mart: str) -> None:
    """It is in the text of the mart, or in that of another one that has the same column."""
    told = set[str]().union(*(names_in(text) for text in DOCUMENTS.values()))
    columns = columns_of(mart) - {*MARTS[mart].grain} - told
    assert {name for name in columns if not NO_METRIC.fullmatch(name)} <= GENERAL


GENERAL = {
    *("total_transactions", "transaction_count"),  # said in their names
    *("employment_status", "credit_limit"),  # attributes of the source
    *("latest_month_spend", "latest_mom_trend_category"),  # those of the latest month
}
