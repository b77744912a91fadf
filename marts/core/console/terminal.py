"""Print lines, tables and documents, to a terminal or a pipe."""

from __future__ import annotations

import io
import math
import sys
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from decimal import Decimal
from typing import Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text
from rich.theme import Theme

from marts.core.console.streams import lost_output, takes
from marts.core.errors import EngineError
from marts.core.run.formats import ascii_json, cell, counted, csv_lines, json_text, visible

STYLES = {
    "ok": "green",
    "warn": "yellow",
    "skip": "yellow",
    "build": "cyan",
    "keep": "dim",
    "read": "dim",
    "alter": "yellow",
    "drop": "yellow",
    "FAIL": "bold red",
    "done": "bold green",
    "stop": "bold red",
    "diff": "yellow",
    "same": "dim",
}


LONGEST_LINE = 100_000
"""The width in a pipe, where lines are not wrapped."""
WIDEST_PAGE = 100
"""The width of a page of text on a terminal: longer lines are hard to read."""
PAGES = (WIDEST_PAGE, 140)
"""The widths at which tables of names wrap."""
LEAST_WIDTH = 10
"""The least width of a column that is cut."""
BETWEEN = 3
"""The width of the space between two columns of a table."""


class Messages(Console):
    """A console that prints text without markup, and with control characters escaped."""

    def render_str(self, text: str, **settings: Any) -> Text:
        """Return a text with its control characters escaped."""
        return super().render_str(visible(text, keep="\n\t"), **settings)


def console(*, to_stderr: bool) -> Console:
    """Return a console for messages, which does not wrap lines."""
    return Messages(stderr=to_stderr, markup=False, highlight=False, soft_wrap=True)


def say(where: Console, line: tuple[str, str]) -> None:
    """Print a text after its label, coloured by it."""
    label, text = line
    where.print(Text(f"{label:<6}", style=STYLES[label]) + Text(visible(text, keep="\n")))


@contextmanager
def showing(where: Console) -> Iterator[Callable[[str], None]]:
    """Show on a terminal what is being done; give the function that says what."""
    with where.status("") if where.is_terminal else nullcontext() as status:
        yield lambda text: status.update(text) if status else None


@contextmanager
def counting(where: Console, what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal."""
    # Only `marts generate` needs it.
    from rich.progress import Progress as Bar

    with Bar(console=where, disable=not where.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


def print_json(document: object) -> None:
    """Print one JSON document."""
    text = json_text(document)
    _write((text if takes(text) else ascii_json(text)) + "\n")


def json_lost(document: object) -> list[EngineError]:
    """Print one JSON document; return why that failed, if it did."""
    try:
        print_json(document)
    except EngineError as error:
        return [error]
    return []


def print_text(text: str) -> None:
    """Print lines of text: unchanged in a pipe, with control characters escaped on a terminal."""
    _write((visible(text, keep="\n\t") if sys.stdout.isatty() else text) + "\n")


def print_markdown(text: str) -> None:
    """Print a page of Markdown: formatted on a terminal, unchanged in a pipe."""
    if sys.stdout.isatty():
        # Only `marts help` needs it.
        from marts.core.console.markdown import page

        out = Console(theme=Theme({"markdown.code": "cyan"}))
        out.width = min(out.width, WIDEST_PAGE)
        out.print(page(text))
    else:
        _write(text)


def _write(text: str) -> None:
    sys.stdout.write(text)
    refuse_lost_output()


def refuse_lost_output() -> None:
    """Raise EngineError if a command's output could not be written."""
    if lost := lost_output():
        raise EngineError(
            "cannot write to standard output",
            lost.strerror or str(lost),
            hint="redirect it to a file that can be written",
        )


def print_rows(
    names: Sequence[str], rows: Sequence[Mapping[str, object]], form: str, *, safe: bool = False
) -> None:
    """Print rows as a table, as CSV with a header, or as a JSON list of objects.

    In `safe` CSV no text is a formula to a spreadsheet program.
    """
    if form == "json":
        print_json(rows)
    elif form == "csv":
        lines = csv_lines([names, *(row.values() for row in rows)], safe=safe)
        print_text("".join(lines).removesuffix("\n"))
    else:
        cells = [[shown(value) for value in row.values()] for row in rows]
        print_table(names, cells, numbers=numbers_in(rows))


def shown(value: object) -> str:
    """Return a value for people to read: a float with ten digits, others as in CSV.

    All digits before the decimal point and two after it are kept.
    """
    if not isinstance(value, float) or not math.isfinite(value) or value == 0:
        return cell(value)
    return repr(round(value, max(2, 9 - math.floor(math.log10(abs(value))))))


def numbers_in(rows: Sequence[Mapping[str, object]]) -> frozenset[int]:
    """Return the positions of the columns that have numbers, and nothing else besides nulls."""
    columns = zip(*(row.values() for row in rows), strict=True)
    return frozenset(n for n, values in enumerate(columns) if _are_numbers(values))


def _are_numbers(values: Sequence[object]) -> bool:
    known = [value for value in values if value is not None]
    are = all(isinstance(v, int | float | Decimal) and not isinstance(v, bool) for v in known)
    return are and bool(known)


def rows_note(count: int, total: int) -> str | None:
    """Return how many of all rows are shown, None if all are."""
    return f"{count:,} of {counted(total, 'row')}" if count < total else None


def print_table(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: Collection[int] = (),
    cuts_last: bool = False,
) -> None:
    """Print a table; if a terminal is too narrow for it, print each row as a list of its values.

    In a pipe every row is one line. Columns at the positions `numbers` are aligned to the right.
    With `cuts_last`, a terminal shows as much of the last column as there is room for.
    """
    _print_table(names, rows, numbers, cuts_last=cuts_last)
    refuse_lost_output()


def table_text(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: Collection[int] = (),
    room: int = LONGEST_LINE,
) -> str:
    """Return a table as text, or each row as a list of its values if there is too little room."""
    text = io.StringIO()
    out = Console(file=text, highlight=False, color_system=None, force_jupyter=False)
    out.width = LONGEST_LINE
    if widths := _widths(out, names, rows, room=room):
        out.print(_grid(names, rows, widths, numbers))
    else:
        out.width = room
        _print_lists(out, names, rows)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines() if line.strip())


def fits(names: Sequence[str], rows: Sequence[Sequence[str]], *, room: int) -> bool:
    """Tell whether there is room for a table, if lines break between words."""
    return _widths(Console(), names, rows, room=room) is not None


def _print_table(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Collection[int],
    *,
    cuts_last: bool,
) -> None:
    out = Console(highlight=False)
    room = out.width if out.is_terminal else LONGEST_LINE
    out.width = LONGEST_LINE
    cuts_last = cuts_last and out.is_terminal
    shortest = [[*row[:-1], _cut(row[-1], LEAST_WIDTH)] for row in rows] if cuts_last else rows
    if widths := _widths(out, names, shortest, room=room):
        if cuts_last:
            widths[-1] += room - BETWEEN * len(names) - sum(widths)
            rows = [[*row[:-1], _cut(row[-1], widths[-1])] for row in rows]
        out.print(_grid(names, rows, widths, numbers))
        return
    out.width = room
    _print_lists(out, names, rows)


def _print_lists(out: Console, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for number, row in enumerate(rows, start=1):
        pairs = [[name, value] for name, value in zip(names, row, strict=True)]
        out.print(_grid([f"row {number}", ""], pairs))


def _cut(text: str, width: int) -> str:
    """Return a text of at most a width, which ends with an ellipsis if it is cut."""
    short = Text(visible(text))
    short.truncate(width, overflow="ellipsis")
    return short.plain


def _widths(
    out: Console, names: Sequence[str], rows: Sequence[Sequence[str]], *, room: int
) -> list[int] | None:
    """Return column widths that fit without breaking words, with the most room for wide columns.

    None if there is not enough room. Rich would truncate words before it wraps lines.
    """
    columns = [
        [Measurement.get(out, out.options, Text(visible(each))) for each in column]
        for column in zip(names, *rows, strict=True)
    ]
    least = [max(each.minimum for each in column) for column in columns]
    most = [max(each.maximum for each in column) for column in columns]
    room -= BETWEEN * len(names)

    def at(level: int) -> list[int]:
        return [min(max(level, low), high) for low, high in zip(least, most, strict=True)]

    if sum(least) > room:
        return None
    levels = range(max(most, default=0) + 1)
    return at(bisect_right(levels, room, key=lambda level: sum(at(level))) - 1)


def _grid(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[int | None] | None = None,
    numbers: Collection[int] = (),
) -> Table:
    columns = [
        Column(
            Text(visible(name)),
            width=width,
            overflow="fold",
            justify="right" if position in numbers else "left",
        )
        for position, (name, width) in enumerate(
            zip(names, widths or [None] * len(names), strict=True)
        )
    ]
    table = Table(*columns, box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*(Text(visible(each)) for each in row))
    return table
