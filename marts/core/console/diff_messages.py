"""The report of `marts diff`, as plain text."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from decimal import Context, Decimal
from typing import TYPE_CHECKING

from marts.core.analysis.changed_expressions import ChangedExpression
from marts.core.console.messages import Line
from marts.core.console.terminal import shown, table_text
from marts.core.query.comparison import AFTER, BEFORE
from marts.core.query.difference import RELATIVE
from marts.core.run.compared import Key, MartDifference, difference_document
from marts.core.run.formats import counted

if TYPE_CHECKING:
    from marts.core.operations.diff import Difference

Code = Mapping[tuple[str, str], tuple[ChangedExpression, ...]]
EXACT = Context(prec=80)


def difference_text(found: Difference) -> str:
    """Return the report of a comparison: a paragraph for each mart that differs, then the sum."""
    lines = [f"before  {found.before}", f"after   {found.after}", ""]
    same = [mart for mart in found.marts if not mart.is_different]
    for mart in found.marts:
        if mart.is_different:
            lines += [*mart_lines(mart), *code_lines(mart, found.code), ""]
    for mart in same:
        lines.append(f"same  {mart.mart}: {counted(mart.rows[1] or 0, 'row')}{_dates(mart)}")
    lines += [f"note  {note}" for note in found.notes]
    lines += [f"none  {name}: not published on either side" for name in found.absent]
    lines.append(conclusion(found))
    return "\n".join(lines)


def conclusion(found: Difference) -> str:
    """Return how many marts differ."""
    differing = sum(mart.is_different for mart in found.marts)
    marts = counted(len(found.marts), "mart")
    if not differing:
        return f"no difference in {marts}"
    return f"{differing} of {marts} differ{'s' if differing == 1 else ''}"


def review_lines(mart: MartDifference, left_out: Collection[str]) -> Iterator[Line]:
    """Yield what publishing changes in a mart; columns that are left out are named."""
    if not mart.is_different:
        yield "same", f"{mart.mart}: {counted(mart.rows[1] or 0, 'row')}"
        return
    lines = [f"{mart.mart}: {headline(mart)}", *(f"  {note}" for note in mart.notes)]
    if rows := list(summary_rows(mart)):
        lines += _indented(table_text(SUMMARY, rows, numbers=range(1, len(SUMMARY))))
    if left_out and mart.rows[0] is not None:
        names = ", ".join(sorted(left_out))
        lines.append(f"  left out, for they change with every as-of date: {names}")
    yield "diff", "\n".join(lines)


def diff_document(found: Difference) -> dict[str, object]:
    """Return a comparison as a JSON document."""
    return {
        "before": found.before,
        "after": found.after,
        "different": found.is_different,
        "marts": [mart_document(mart, found.code) for mart in found.marts],
        "absent": list(found.absent),
        "notes": list(found.notes),
    }


def mart_document(mart: MartDifference, code: Code) -> dict[str, object]:
    """Return how a mart differs, with the changed code, as a part of a JSON document."""
    columns = {
        each.name: [asdict(part) for part in code.get((mart.mart, each.name), ())]
        for each in mart.columns
        if each.changed
    }
    rows = {part: None for name in mart.grain for part in code.get((mart.mart, name), ())}
    return {
        **difference_document(mart),
        "code": {"rows": [asdict(part) for part in rows], "columns": columns},
    }


def mart_lines(mart: MartDifference) -> Iterator[str]:
    """Yield how a mart differs."""
    yield f"diff  {mart.mart}: {headline(mart)}{_dates(mart)}"
    yield from (f"  {note}" for note in mart.notes)
    yield from (f"  {line}" for line in only_lines(mart))
    if rows := list(summary_rows(mart)):
        yield from _indented(table_text(SUMMARY, rows, numbers=range(1, len(SUMMARY))))
    if rows := list(change_rows(mart)):
        names = ["largest changes of", *mart.grain, BEFORE, AFTER, "change"]
        yield from _indented(table_text(names, rows))


def only_lines(mart: MartDifference) -> Iterator[str]:
    """Yield keys of rows that only one side has."""
    for side, keys in (mart.only or {}).items():
        count = mart.removed if side == BEFORE else mart.added
        more = f" and {count - len(keys):,} more" if count > len(keys) else ""
        yield f"only {side}: {'; '.join(_key(mart, key) for key in keys)}{more}"


def code_of(
    mart: MartDifference, code: Code
) -> Iterator[tuple[Sequence[str], Sequence[ChangedExpression]]]:
    """Yield columns of a mart, or those that decide about its rows, with the code behind them."""
    columns: dict[tuple[ChangedExpression, ...], list[str]] = {}
    for (name, column), expressions in code.items():
        if name == mart.mart:
            columns.setdefault(expressions, []).append(column)
    yield from ((names, expressions) for expressions, names in columns.items())


def code_lines(mart: MartDifference, code: Code) -> Iterator[str]:
    """Yield the changed expressions behind each column of a mart, and behind its rows."""
    for names, expressions in code_of(mart, code):
        yield f"  changed code behind {', '.join(names)}:"
        yield from (f"    {each.location}: {expression_text(each)}" for each in expressions)


def expression_text(each: ChangedExpression) -> str:
    """Return a changed expression in words."""
    return f"{'no longer ' if each.is_gone else ''}{each.text}"


SUMMARY = ("column", "changed", "sum before", "sum after", "change")


def headline(mart: MartDifference) -> str:
    """Return how many rows of a mart differ, in words."""
    before, after = mart.rows
    if before is None or after is None:
        rows = before if after is None else after
        return f"only {BEFORE if after is None else AFTER}, {counted(rows or 0, 'row')}"
    parts = [
        f"{count:,} {word}"
        for count, word in (
            (mart.added, "added"),
            (mart.removed, "removed"),
            (mart.changed, "changed"),
        )
        if count
    ]
    return f"{before:,} → {after:,} rows" + (f": {', '.join(parts)}" if parts else "")


def summary_rows(mart: MartDifference) -> Iterator[Sequence[str]]:
    """Yield a row of the summary for each column that differs in values or in its sum."""
    for column in mart.columns:
        before, after = column.totals or (None, None)
        if column.changed or (before != after and (column.share or 0) > _noise(before)):
            yield (
                column.name,
                f"{column.changed:,}",
                "" if before is None else _number(before),
                "" if after is None else _number(after),
                _change(before, after),
            )


def _noise(total: object) -> float:
    """Return by which share two sums may differ though no value does: the order of rows decides."""
    return RELATIVE if isinstance(total, float) else 0.0


def change_rows(mart: MartDifference) -> Iterator[Sequence[str]]:
    """Yield a row for each of the largest changes of each column."""
    for column in mart.columns:
        for change in column.largest:
            yield (
                column.name,
                *map(_value, change.key),
                _value(change.before),
                _value(change.after),
                _change(change.before, change.after),
            )


def _change(before: object, after: object) -> str:
    """Return the difference of two numbers, and what share of the first it is."""
    match before, after:
        case bool(), _:
            return ""
        case int() | Decimal(), int() | Decimal():
            left, right = Decimal(before), Decimal(after)
            difference = EXACT.subtract(right, left)
            text, share = f"{difference:+,f}", float(difference / abs(left) * 100) if left else None
        case float(), float():
            gap = after - before
            text, share = f"{gap:+,.6g}", gap / abs(before) * 100 if before else None
        case _:
            return ""
    return text if share is None else f"{text} ({share:+.3g}%)"


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, Decimal | int) else shown(value)


def _value(value: object) -> str:
    return "null" if value is None else shown(value)


def _key(mart: MartDifference, key: Key) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in zip(mart.grain, key, strict=True))


def _dates(mart: MartDifference) -> str:
    before, after = mart.as_of
    if None in mart.rows:
        before = after = before or after
    if before == after:
        return f", as of {after}" if after else ""
    return f", as of {before or 'an unknown date'} → {after or 'an unknown date'}"


def _indented(text: str) -> Iterator[str]:
    return (f"    {line}" for line in text.splitlines())
