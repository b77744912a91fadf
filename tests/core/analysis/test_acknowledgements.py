"""Acknowledged warnings: counted until their date, and refused where they name no warning."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from marts import acknowledge, source, string
from marts.core.analysis.acknowledgements import (
    refuse_wrong_acknowledgements,
    with_acknowledged,
)
from marts.core.analysis.reliance_errors import relied_on
from marts.core.errors import DefinitionError, UsageError
from marts.core.project.settings import acknowledged_in
from support.derived_checks import (
    ALL,
    ORDERS,
    SHOPS,
    int_paid,
    made,
    orders,
    towns,
)
from support.workshop import project_of


def known(check: str, until: str = "2027-06-30") -> Any:
    return acknowledge(check, reason="we know", until=until)


@pytest.mark.parametrize(
    ("until", "outcome"), [("2025-06-30", "acknowledged"), ("2025-06-29", "warn")]
)
def test_an_acknowledged_warning_is_counted_not_shown_until_its_date(
    until: str, outcome: str, tmp_path: Path
) -> None:
    table = replace(ORDERS, acknowledged=(known("few_pieces", until),))
    done = made(tmp_path, project_of(table, SHOPS, int_paid, towns), orders=orders({"pieces": 10}))
    assert done.found == {"orders.few_pieces": (outcome, 1)}
    assert ("1 acknowledged" in done.said) == (outcome == "acknowledged")
    assert (f"acknowledged until {until}: we know" in done.said) == (outcome == "warn")
    assert ("orders.few_pieces" in done.said) == (outcome == "warn")


@pytest.mark.parametrize(
    ("table", "entry"),
    [("orders", "shop_in_shops"), ("orders", "channel_compared_in_int_paid"),
     ("orders", "few_pieces"), ("towns", "not_empty")],
)  # fmt: skip
def test_warnings_declared_or_derived_can_be_acknowledged_in_the_settings(
    table: str, entry: str
) -> None:
    settings = [{"table": table, "check": entry, "reason": "so", "until": datetime.date.max}]
    entries = acknowledged_in(settings, Path("settings"))
    graph = with_acknowledged(ALL, entries, "settings")
    refuse_wrong_acknowledgements(graph, relied_on(graph), entries=entries, location="settings")
    tables = graph.project.sources | graph.project.marts
    assert tables[table].acknowledged[0].until == datetime.date.max


@pytest.mark.parametrize(
    ("acknowledged", "words"),
    [
        ([known("few_piece")], "it has no check few_piece; did you mean few_pieces?"),
        ([known("status_not_null")], "status_not_null is an error: only a warning can be"),
        ([known("status_spelling")], "status_spelling is an error"),
        ([known("few_pieces"), known("few_pieces")], "few_pieces is acknowledged twice"),
    ],
)
def test_wrong_acknowledgements_are_refused(acknowledged: list[Any], words: str) -> None:
    table = replace(ORDERS, acknowledged=tuple(acknowledged))
    graph = project_of(table, SHOPS, int_paid, towns)
    with pytest.raises(DefinitionError) as refused:
        refuse_wrong_acknowledgements(graph, relied_on(graph), entries=(), location="settings")
    assert words in str(refused.value)
    assert table.location in str(refused.value)


def test_a_wrong_acknowledgement_of_the_settings_names_their_file() -> None:
    settings = [{"table": "orders", "check": "few_pices", "reason": "so", "until": "2027-06-30"}]
    entries = acknowledged_in(settings, Path("settings"))
    graph = with_acknowledged(ALL, entries, "pyproject.toml")
    with pytest.raises(DefinitionError) as refused:
        refuse_wrong_acknowledgements(
            graph, relied_on(graph), entries=entries, location="pyproject.toml"
        )
    assert str(refused.value).splitlines()[1:] == [
        "  it has no check few_pices; did you mean few_pieces?",
        "  pyproject.toml",
    ]


def test_an_acknowledgement_needs_a_reason_and_a_date() -> None:
    with pytest.raises(DefinitionError, match="has no reason"):
        source("s", doc="S.", grain="k", columns=[string("k")],
               acknowledged=[acknowledge("x", reason=" ", until="2027-01-01")])  # fmt: skip
    with pytest.raises(ValueError, match="isoformat"):
        acknowledge("x", reason="y", until="next year")


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"table": "orders", "check": "few_pieces", "reason": "so"},
        {"table": "orders", "check": "few_pieces", "reason": "so", "until": "soon"},
        {"table": "orders", "check": "few_pieces", "reason": "", "until": "2027-01-01"},
        {"table": "order", "check": "few_pieces", "reason": "so", "until": "2027-01-01"},
    ],
)
def test_wrong_entries_of_the_settings_are_refused(entry: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        with_acknowledged(ALL, acknowledged_in([entry], Path("settings")), "settings")
