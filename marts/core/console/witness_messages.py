"""The messages of `marts witness`: the rows that show a difference, and both answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from marts.core.errors import masked
from marts.core.operations.witness import Found
from marts.core.proof.comparison import Differences
from marts.core.proof.witness import Answer, Comparison, Contracts, Witness
from marts.core.run.formats import counted, shown_cell
from marts.core.run.masking import masked_row, masked_rows

MOST_ROWS = 20
"""As many rows of a table are shown."""


@dataclass(frozen=True)
class ShownTable:
    """A table with its title; `rows` have values, and `note` what is not shown."""

    title: str
    names: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    note: str = ""

    @property
    def cells(self) -> list[list[str]]:
        """The values as text; null is `null`, which is not an empty text."""
        return [[shown_cell(value) for value in row.values()] for row in self.rows]


def head_line(found: Found) -> str:
    """Return whether the versions differ, in one line."""
    comparison = found.comparison
    mart, was = comparison.now.mart.name, comparison.was.name
    if comparison.witness is None:
        worlds = counted(comparison.worlds, "world")
        if comparison.contracts:
            return f"{mart} has other columns than {was}; all else is the same in {worlds}"
        return f"{mart}: no difference from {was} in {worlds}"
    as_of = comparison.witness.world.as_of
    return f"{mart} gives another answer than {was}, as of {as_of}, on these rows:"


def contract_lines(contracts: Contracts) -> Iterator[str]:
    """Yield how the columns differ, whatever the rows."""
    for word, names in (("gone", contracts.only_was), ("new", contracts.only_is)):
        if names:
            yield f"columns that are {word}: {', '.join(names)}"
    for name, was, now in contracts.retyped:
        yield f"column {name}: was {was}, is {now}"
    if contracts.grains:
        was, now = (", ".join(each) or "none" for each in contracts.grains)
        yield f"grain: was {was}, is {now}"


def source_tables(found: Found, witness: Witness) -> Iterator[ShownTable]:
    """Yield the rows of the sources that a version reads, in the columns that it reads."""
    comparison = found.comparison
    for name, table in witness.world.tables.items():
        names = _read(comparison, name)
        if names is not None and table.num_rows:
            shown = [each for each in table.column_names if each in names] or table.column_names[:1]
            yield _table(found, name, table.select(shown))


def _read(comparison: Comparison, source: str) -> frozenset[str] | None:
    sides = (comparison.was.reads.get(source), comparison.now.reads.get(source))
    known = [each for each in sides if each is not None]
    return frozenset[str]().union(*known) if known else None


def _table(found: Found, title: str, table: pa.Table) -> ShownTable:
    rows = _shown(found, title, table.slice(0, MOST_ROWS))
    note = f"{MOST_ROWS} of {counted(table.num_rows, 'row')}" if table.num_rows > MOST_ROWS else ""
    return ShownTable(title, tuple(table.column_names), rows, note)


def _shown(found: Found, name: str, table: pa.Table) -> tuple[Mapping[str, Any], ...]:
    return masked_rows(table.to_pylist(), found.hidden(name, table.column_names))


def answer_tables(found: Found, differ: Differences) -> Iterator[ShownTable]:
    """Yield the cells that differ, with what each was and is, and the rows on one side only."""
    mart = found.comparison.now.mart.name
    yield from _cut(f"{mart}: cells that differ", _cells(found, differ))
    for word, rows, keys in (
        ("gone", differ.actual, differ.only_actual),
        ("new", differ.expected, differ.only_expected),
    ):
        whole = [rows[key] for key in keys]
        hidden = found.hidden(mart, whole[0]) if whole else ()
        yield from _cut(f"{mart}: rows that are {word}", masked_rows(whole, hidden))


def _cells(found: Found, differ: Differences) -> list[dict[str, Any]]:
    """Return the cells that differ, each as a row: the key, the column, and both values."""
    mart = found.comparison.now.mart.name
    return [
        {
            **_key(found, differ, each.key),
            "column": each.column,
            "was": masked(each.actual, is_personal=bool(found.hidden(mart, [each.column]))),
            "is": masked(each.expected, is_personal=bool(found.hidden(mart, [each.column]))),
        }
        for each in differ.cells
    ]


def _key(found: Found, differ: Differences, key: Sequence[Any]) -> dict[str, Any]:
    named = _named(differ, key)
    return masked_row(named, found.hidden(found.comparison.now.mart.name, named))


def _named(found: Differences, key: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(found.grain, key, strict=True))


def _cut(title: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[ShownTable]:
    if rows:
        note = f"{MOST_ROWS} of {counted(len(rows), 'row')}" if len(rows) > MOST_ROWS else ""
        yield ShownTable(title, tuple(rows[0]), tuple(rows[:MOST_ROWS]), note)


def failure_lines(witness: Witness) -> Iterator[str]:
    """Yield what an engine said to a version that has no rows."""
    for word, answer in (("was", witness.was), ("is", witness.now)):
        if answer.error:
            yield f"{word}: {answer.error}"


def note_lines(comparison: Comparison) -> Iterator[str]:
    """Yield where the rows are from, what else they need, and what was not compared."""
    witness = comparison.witness
    if witness is not None:
        required = [
            f"{name} {table.num_rows:,}"
            for name, table in witness.world.tables.items()
            if table.num_rows and _read(comparison, name) is None
        ]
        if required:
            yield f"rows that only relationships require: {', '.join(required)}"
        yield f"found on: {witness.world.origin}"
    if comparison.incomparable:
        worlds = counted(comparison.incomparable, "world")
        yield f"not compared: {worlds}, on which both fail, or which the former contracts refuse"


def accept_lines(comparison: Comparison, against: str) -> Iterator[str]:
    """Yield how each answer becomes an example: only the reader knows which one is right."""
    quoted = f'"{against}"' if set(against) & set(' "$`|&;<>()*?') else against
    call = f"  marts witness {comparison.now.mart.name} --against {quoted} --accept"
    witness = comparison.witness
    if witness and witness.was.table is not None:
        yield "to keep what it was as an example, if that is right:"
        yield f"{call} was"
    if witness and witness.now.table is not None:
        yield "to keep what it is as an example, if that is right:"
        yield f"{call} is"


def witness_document(found: Found, accepted: Path | None) -> dict[str, object]:
    """Return the JSON document of what was found."""
    comparison, contracts = found.comparison, found.comparison.contracts
    return {
        "schema_version": 1,
        "mart": comparison.now.mart.name,
        "against": comparison.was.name,
        "differs": comparison.differs,
        "worlds": comparison.worlds,
        "not_compared": comparison.incomparable,
        "columns": {
            "only_was": list(contracts.only_was),
            "only_is": list(contracts.only_is),
            "retyped": [
                {"column": name, "was": was, "is": now} for name, was, now in contracts.retyped
            ],
        },
        "grain": {
            "was": list(comparison.was.mart.grain),
            "is": list(comparison.now.mart.grain),
        },
        "witness": None
        if comparison.witness is None
        else _witness_document(found, comparison.witness),
        "accepted": None if accepted is None else str(accepted),
    }


def _witness_document(found: Found, witness: Witness) -> dict[str, object]:
    comparison, differ = found.comparison, witness.differences
    return {
        "origin": witness.world.origin,
        "as_of": witness.world.as_of,
        "sources": {
            name: {
                "read": sorted(_read(comparison, name) or ()),
                "rows": list(_shown(found, name, table)),
            }
            for name, table in witness.world.tables.items()
        },
        "was": _answer_document(found, witness.was),
        "is": _answer_document(found, witness.now),
        "cells": [
            {
                "key": _key(found, differ, cell.key),
                "column": cell.column,
                "was": row["was"],
                "is": row["is"],
            }
            for cell, row in zip(differ.cells, _cells(found, differ), strict=True)
        ]
        if differ
        else [],
        "only_was": [_key(found, differ, key) for key in differ.only_actual] if differ else [],
        "only_is": [_key(found, differ, key) for key in differ.only_expected] if differ else [],
    }


def _answer_document(found: Found, answer: Answer) -> dict[str, object]:
    mart = found.comparison.now.mart.name
    rows = None if answer.table is None else list(_shown(found, mart, answer.table))
    return {"rows": rows, "error": answer.error or None}
