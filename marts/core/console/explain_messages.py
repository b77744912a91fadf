"""Print how one number came about: for people, and as a JSON document."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from marts.core.console import terminal
from marts.core.operations.explained import Case, Comparison, Explanation, SourceRows
from marts.core.run.formats import counted


def shown(value: object) -> str:
    """Return a value for people: null is `null`."""
    return "null" if value is None else terminal.shown(value)


def document(found: Explanation, *, rows: int | None) -> Mapping[str, object]:
    """Return an explanation as a JSON document; with `rows`, at most so many of each source."""
    return {
        "mart": found.mart.name,
        "column": found.column,
        "key": found.key,
        "as_of": found.as_of,
        "value": found.value,
        "is_published": found.unpublished is None,
        "unpublished": found.unpublished,
        "run_id": found.run_id,
        "recomputed": found.recomputed,
        "is_same": found.is_same,
        "missing": found.missing,
        "outdated": found.outdated,
        "untraced": found.untraced,
        "definition": found.definition,
        "branches": _branches(found.case),
        "inputs": [
            {
                "table": each.table,
                "column": each.column,
                "value": each.value,
                "rows": each.rows,
                "expression": each.expression or None,
            }
            for each in found.inputs
        ],
        "sources": [_source(each, rows) for each in found.sources],
    }


def _branches(case: Case | None) -> list[Mapping[str, object]]:
    branches = case.branches if case else ()
    return [
        {
            "condition": each.condition,
            "result": each.result,
            "holds": each.holds,
            "is_taken": case is not None and case.taken == n,
            "comparisons": [
                {
                    "operand": one.operand,
                    "value": one.value,
                    "sign": one.sign,
                    "threshold": one.threshold,
                    "distance": one.distance.total_seconds()
                    if isinstance(one.distance, datetime.timedelta)
                    else one.distance,
                    "holds": one.holds,
                }
                for one in each.comparisons
            ],
        }
        for n, each in enumerate(branches)
    ]


def _source(each: SourceRows, rows: int | None) -> Mapping[str, object]:
    found: dict[str, object] = {
        "table": each.table,
        "rows": len(each.rows),
        "looked_at": each.looked_at,
    }
    return found | ({} if rows is None else {"shown": each.rows[:rows]})


def print_explanation(found: Explanation, *, rows: int | None) -> None:
    """Print an explanation; with `rows`, at most so many rows of each source."""
    terminal.print_text(text_of(found))
    if rows is None:
        return
    for each in found.sources:
        if each.rows:
            terminal.print_text(f"\n{each.table}")
            shown_rows = [{n: row[n] for n in each.columns} for row in each.rows[:rows]]
            terminal.print_rows(each.columns, shown_rows, "table")
            if note := terminal.rows_note(min(rows, len(each.rows)), len(each.rows)):
                terminal.print_text(note)


def text_of(found: Explanation) -> str:
    """Return an explanation in lines, without the rows of sources."""
    return "\n".join(_lines(found))


def _lines(found: Explanation) -> Iterator[str]:
    key = ", ".join(f"{name} {shown(value)}" for name, value in found.key.items())
    yield f"{found.mart.name}.{found.column} of {key}, as of {found.as_of}"
    yield ""
    yield from _aligned(_head(found))
    if found.case:
        yield ""
        yield from _case_lines(found.case)
    if found.inputs:
        yield ""
        yield "computed from"
        yield from _input_lines(found)
    if found.sources:
        yield ""
        yield "rows behind it"
        yield from _indented(
            _aligned([(each.table, _numbers(each)) for each in found.sources if each.looked_at])
        )


def _head(found: Explanation) -> Iterator[tuple[str, str]]:
    where = f"published by run {found.run_id}" if found.run_id else found.unpublished or ""
    yield "value", f"{shown(found.value)}   {where}"
    if found.untraced:
        yield "not traced", found.untraced
    elif found.is_same is None:
        yield "", "computed from the rows below"
    elif found.is_same:
        yield "recomputed", "the same, from the rows below"
    else:
        why = f": {found.outdated}" if found.outdated else ""
        what = found.missing or f"{shown(found.recomputed)}   another value"
        yield "recomputed", f"{what}{why}"
    if found.definition:
        yield "definition", found.definition


def _case_lines(case: Case) -> Iterator[str]:
    yield "conditions"
    for n, each in enumerate(case.branches):
        is_taken = case.taken == n
        is_reached = case.taken is None or n <= case.taken
        verdict = VERDICTS[each.holds] if each.condition else "else"
        result = each.result if each.condition is None else f"{each.condition}: {each.result}"
        text = str(each.condition) if case.taken is None else result
        yield f"{'→' if is_taken else ' '} {verdict if is_reached else '':<5} {text}"
        for one in each.comparisons:
            yield f"            {_distance(one)}"


VERDICTS = {True: "yes", False: "no", None: "null"}


def _distance(one: Comparison) -> str:
    text = f"{one.operand} = {shown(one.value)}"
    if one.distance is None:
        return text
    apart: Any = one.distance
    is_later = apart > type(apart)()
    if not apart:
        return f"{text}, exactly {shown(one.threshold)}"
    side = ("before", "below"), ("after", "above")
    if isinstance(one.threshold, datetime.date):
        days = counted(abs(apart), "day") if isinstance(apart, int) else str(abs(apart))
        return f"{text}, {days} {side[is_later][0]} {shown(one.threshold)}"
    return f"{text}, {shown(abs(apart))} {side[is_later][1]} {shown(one.threshold)}"


def _input_lines(found: Explanation) -> Iterator[str]:
    table = None
    pairs: list[Sequence[str]] = []
    for each in found.inputs:
        if each.table != table:
            yield from _indented(_aligned(pairs), 4)
            pairs, table = [], each.table
            yield f"  {table}"
        value = shown(each.value) if each.rows is None else f"of {counted(each.rows, 'row')}"
        pairs.append(
            (
                each.column,
                value,
                "= " + each.expression.replace("\n", "\n  ") if each.expression else "",
            )
        )
    yield from _indented(_aligned(pairs), 4)


def _numbers(each: SourceRows) -> str:
    text = counted(len(each.rows), "row")
    more = each.looked_at - len(each.rows)
    verb = "does" if more == 1 else "do"
    return f"{text}   {more:,} more of the same key {verb} not count" if more else text


def _aligned(rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows as lines; the last text of a row may have several, one below the other."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*(row[:-1] for row in rows), strict=True)]
    margin = " " * sum(width + 2 for width in widths)
    for *first, last in rows:
        start = "".join(f"{text:<{w}}  " for text, w in zip(first, widths, strict=True))
        for line in last.split("\n"):
            yield (start + line).rstrip()
            start = margin


def _indented(lines: Iterator[str], by: int = 2) -> Iterator[str]:
    return (" " * by + line for line in lines)
