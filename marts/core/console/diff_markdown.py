"""The report of `marts diff` as Markdown, for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from marts.core.console.diff_messages import (
    SUMMARY,
    change_rows,
    code_of,
    conclusion,
    expression_text,
    headline,
    only_lines,
    summary_rows,
)
from marts.core.operations.diff import Difference
from marts.core.query.comparison import AFTER, BEFORE
from marts.core.run.compared import MartDifference
from marts.core.run.formats import visible

LONGEST = 60_000
"""GitHub takes comments of 65,536 characters."""
SPECIAL = re.compile(r"[\\`*\[\]<>|~@&#]|(?<!\w)_|_(?!\w)")


def difference_markdown(found: Difference) -> str:
    """Return the report of a comparison, shortened at the end if it is too long for a comment."""
    head = [
        f"### {escaped(conclusion(found))}",
        "",
        f"Before: {escaped(found.before)}<br>",
        f"After: {escaped(found.after)}",
        "",
    ]
    rows = [
        (
            escaped(mart.mart),
            escaped(headline(mart)),
            escaped(", ".join(each.name for each in mart.columns if each.changed)),
        )
        for mart in found.marts
        if mart.is_different
    ]
    if rows:
        head += table(("mart", "rows", "columns that differ"), rows)
    head += [f"- {escaped(note)}" for note in found.notes]
    text = "\n".join(head) + "\n"
    left = [mart for mart in found.marts if mart.is_different]
    while left:
        more = "\n".join(mart_lines(left[0], found)) + "\n"
        if len(text) + len(more) > LONGEST:
            names = escaped(", ".join(mart.mart for mart in left))
            return f"{text}\nLeft out here, for the comment would be too long: {names}\n"
        text, left = text + more, left[1:]
    return text


def mart_lines(mart: MartDifference, found: Difference) -> Iterator[str]:
    """Yield the section of a mart, which is folded."""
    yield from ("", f"<details><summary>{escaped(mart.mart)}</summary>", "")
    yield from (f"- {escaped(line)}" for line in (*mart.notes, *only_lines(mart)))
    if rows := list(summary_rows(mart)):
        yield from ("", *table(SUMMARY, [[escaped(cell) for cell in row] for row in rows]))
    if rows := list(change_rows(mart)):
        names = [escaped(name) for name in ("largest changes of", *mart.grain, BEFORE, AFTER, "")]
        yield from ("", *table(names, [[escaped(cell) for cell in row] for row in rows]))
    for columns, expressions in code_of(mart, found.code):
        yield from ("", f"Changed code behind {escaped(', '.join(columns))}:", "")
        for each in expressions:
            yield f"- {escaped(each.location)}: {escaped(expression_text(each))}"
    yield from ("", "</details>")


def table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table, whose cells are Markdown."""
    lines = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is, in one line; nobody is notified by it."""
    return SPECIAL.sub(lambda found: f"&#{ord(found[0])};", " ".join(visible(text).split("\n")))
