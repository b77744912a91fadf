"""Checks of the texts that marts compare columns with: that they occur, and without variants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import ibis
import ibis.expr.types as ir

from marts.core.analysis.reliance import Condition
from marts.core.analysis.text_values import TextColumn
from marts.core.authoring.checks import SpellingCheck, WholeCheck
from marts.core.authoring.tables import Source
from marts.core.query.folding import equals_folded, folded


def spelling_checks(
    source: Source, columns: frozenset[str], conditions: Iterable[Condition]
) -> Iterator[SpellingCheck]:
    """Yield, for each text column, the check that no text is a variant of an expected one."""
    groups: dict[str, list[tuple[TextColumn, tuple[str, ...]]]] = {
        column.name: [(TextColumn(source.name, column.name), column.values)]
        for column in source.columns
        if column.values and column.name in columns
    }
    declared = {column for pairs in groups.values() for column, _ in pairs}
    for condition in conditions:
        # Marts compare a column that declares its values only with these.
        if condition.column not in declared:
            pair = (condition.column, condition.texts)
            groups.setdefault(condition.column.column, []).append(pair)
    for name, pairs in groups.items():
        yield _spelling_check(name, tuple(dict.fromkeys(pairs)))


def _spelling_check(
    name: str, expected: tuple[tuple[TextColumn, tuple[str, ...]], ...]
) -> SpellingCheck:
    """Return the check of a column; `expected` has the texts for each way marts compare it."""

    def offending(t: ir.Table) -> ir.BooleanColumn:
        found = [_is_variant(t[name], column, texts) for column, texts in expected]
        bad = found[0]
        for each in found[1:]:
            bad = bad | each
        return bad

    return SpellingCheck(
        name=f"{name}_spelling",
        offending=offending,
        column=name,
        meant={folded(text): text for _, texts in expected for text in texts},
    )


def _is_variant(value: ir.Value, column: TextColumn, texts: tuple[str, ...]) -> ir.BooleanValue:
    """Tell which texts differ from an expected one only in case, blanks or Unicode form."""
    is_expected = _as_compared(value, column).isin(texts)
    # Folding is slow, and few rows need it.
    return ibis.ifelse(is_expected, False, equals_folded(value, texts))


def _as_compared(value: ir.Value, column: TextColumn) -> ir.StringValue:
    for name in column.functions:
        value = getattr(value, name)()
    return value


def occurrence_checks(conditions: Iterable[Condition]) -> Iterator[WholeCheck]:
    """Yield, for each condition, the check that some row has one of its texts."""
    names: dict[str, int] = {}
    by_texts = {(each.column, frozenset(each.texts)): each for each in reversed([*conditions])}
    for condition in by_texts.values():
        name = f"{condition.column.column}_compared_in_{condition.mart}"
        names[name] = names.get(name, 0) + 1
        yield WholeCheck(
            name=name if names[name] == 1 else f"{name}_{names[name]}",
            fails=_never_occurs(condition),
            column=condition.column.column,
            severity="warn",
            because=f"{condition.mart}: {_shortened(condition.formatted)}, and no row has"
            f" {' or '.join(map(repr, condition.texts))}",
        )


def _never_occurs(condition: Condition) -> Callable[[ir.Table], ir.BooleanScalar]:
    def fails(t: ir.Table) -> ir.BooleanScalar:
        value = _as_compared(t[condition.column.column], condition.column)
        return (t.count() > 0) & (value.isin(condition.texts).sum().fill_null(0) == 0)

    return fails


def _shortened(text: str, length: int = 100) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
