"""The text of an example: a title, a date, and tables in Markdown, read with lines and written.

    # An order of the last day counts

    as_of: 2024-06-30

    ## orders
    | order_id | amount |
    | --- | --- |
    | 1 | 10.00 |

    ## → customer_revenue
    | customer_id | revenue |
    | --- | --- |
    | a | 10.00 |

Paragraphs may stand anywhere but within a table; they are for readers.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from marts.core.errors import DefinitionError

ARROW = "→"
AS_OF = re.compile(r"as_of\s*:\s*(.*)")
BAR = re.compile(r"(?<!\\)\|")
RULE = re.compile(r":?-+:?")


@dataclass(frozen=True)
class TextRow:
    """The cells of a row, and its line."""

    cells: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class TextTable:
    """A table of an example: the name in its heading, and its header and rows as text."""

    name: str
    line: int
    header: TextRow
    rows: tuple[TextRow, ...]
    is_expected: bool


@dataclass(frozen=True)
class ExampleText:
    """What an example's file says."""

    title: str
    as_of: datetime.date
    given: tuple[TextTable, ...]
    expected: TextTable
    file: str

    def at(self, line: int) -> str:
        """Return the location of a line."""
        return f"{self.file}:{line}"


@dataclass
class _Section:
    name: str
    line: int
    rows: list[TextRow] = field(default_factory=list)
    is_closed: bool = False
    """Whether its table has ended: a paragraph or a blank line came after it."""

    @property
    def is_expected(self) -> bool:
        return self.name.startswith((ARROW, "->"))


def parsed(text: str, *, file: str) -> ExampleText:
    """Return what the text of an example says.

    Raises DefinitionError, with file and line and the exact edit, for anything that is not of the
    form of an example.
    """
    reader = _Reader(file)
    for number, line in enumerate(text.split("\n"), start=1):
        reader.read(line.strip(), number)
    return reader.finished()


class _Reader:
    """Reads an example line by line."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.title = ""
        self.as_of: datetime.date | None = None
        self.sections: list[_Section] = []

    def read(self, line: str, number: int) -> None:
        heading, _, words = line.partition(" ")
        if heading == "#" and not self.sections and not self.title:
            self.title = words.strip()
        elif heading == "##":
            self.sections.append(_Section(words.strip(), number))
        elif line.startswith("|"):
            self._read_row(line, number)
        elif found := AS_OF.fullmatch(line):
            self._read_as_of(found[1], number)
        else:
            self._read_words(line, number)

    def _read_row(self, line: str, number: int) -> None:
        if not self.sections:
            raise self._error(
                "a table stands before the first heading", number, hint="write above it: ## SOURCE"
            )
        section = self.sections[-1]
        if section.is_closed and section.rows:
            raise self._error(
                f"{section.name} has a second table, or a row apart from its table",
                number,
                hint="remove the lines between, or write a heading above it: ## SOURCE",
            )
        if not BAR.split(line)[-1].strip() == "" or len(line) < 2:
            raise self._error("a row of a table does not end", number, hint="write a | at its end")
        cells = (each.strip().replace("\\|", "|") for each in BAR.split(line)[1:-1])
        section.rows.append(TextRow(tuple(cells), number))

    def _read_as_of(self, given: str, number: int) -> None:
        try:
            day = datetime.date.fromisoformat(given.strip())
        except ValueError:
            raise self._error(
                f"as_of is {given.strip() or 'empty'}, which is not a date",
                number,
                hint="write it like this: as_of: 2024-06-30",
            ) from None
        if self.as_of is not None:
            raise self._error("as_of is there twice", number, hint="remove one of them")
        self.as_of = day

    def _read_words(self, line: str, number: int) -> None:
        if not self.sections:
            return
        section = self.sections[-1]
        if BAR.search(line):
            raise self._error(
                "a line with bars does not begin with one, so it is not a row of a table",
                number,
                hint="write a | at its start",
            )
        section.is_closed = section.is_closed or bool(section.rows)

    def finished(self) -> ExampleText:
        if not self.title:
            raise self._error("an example has no title", 1, hint="begin it with: # What it shows")
        if self.as_of is None:
            raise self._error(
                "an example has no date", 1, hint="write below its title: as_of: 2024-06-30"
            )
        tables = [self._table(section) for section in self.sections]
        given = tuple(table for table in tables if not table.is_expected)
        expected = [table for table in tables if table.is_expected]
        for number, table in enumerate(given):
            if table.name in (each.name for each in given[:number]):
                raise self._error(
                    f"{table.name} is given twice", table.line, hint="make one table of both"
                )
        if len(expected) != 1:
            raise self._error(
                "an example says nothing of what is expected"
                if not expected
                else "an example has two tables of what is expected",
                expected[1].line if expected else self.sections[-1].line if self.sections else 1,
                hint=f"write one table below a heading with an arrow: ## {ARROW} MART",
            )
        return ExampleText(self.title, self.as_of, given, expected[0], self.file)

    def _table(self, section: _Section) -> TextTable:
        name = section.name.removeprefix("->").removeprefix(ARROW).strip()
        if not name:
            raise self._error("a heading has no name", section.line, hint="write: ## SOURCE")
        if not section.rows:
            raise self._error(
                f"{name} has no table",
                section.line,
                hint="write its columns below, also if it has no rows: | COLUMN | and | --- |",
            )
        header, *rest = section.rows
        if not rest or not all(RULE.fullmatch(cell) for cell in rest[0].cells):
            raise self._error(
                f"the header of {name} has no line below it",
                header.line,
                hint="write: " + _line("---" for _ in header.cells),
            )
        for row in rest:
            if len(row.cells) != len(header.cells):
                raise self._error(
                    f"a row of {name} has {len(row.cells)} cells, its header {len(header.cells)}",
                    row.line,
                    hint="write one cell for each column; a bar within a text is \\|",
                )
        return TextTable(name, section.line, header, tuple(rest[1:]), section.is_expected)

    def _error(self, summary: str, line: int, *, hint: str) -> DefinitionError:
        return DefinitionError(summary, f"{self.file}:{line}", hint=hint)


@dataclass(frozen=True)
class WrittenTable:
    """A table to be written: its heading, header and cells, and which columns are numbers."""

    heading: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[bool]


def formatted(title: str, as_of: datetime.date, tables: Iterable[WrittenTable]) -> str:
    """Return the text of an example, with aligned columns."""
    lines = [f"# {' '.join(title.split())}", "", f"as_of: {as_of}"]
    for table in tables:
        lines += ["", f"## {table.heading}", "", *_lines(table)]
    return "\n".join(lines) + "\n"


def _lines(table: WrittenTable) -> Iterator[str]:
    columns = list(zip(table.header, *table.rows, strict=True))
    widths = [max(3, *map(_width, column)) for column in columns]
    rules = [
        "-" * (width - 1) + ":" if number else "-" * width
        for width, number in zip(widths, table.numbers, strict=True)
    ]
    for cells in chain([table.header, rules], table.rows):
        yield _line(
            _padded(cell, width, to_the_right=number)
            for cell, width, number in zip(cells, widths, table.numbers, strict=True)
        )


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _padded(cell: str, width: int, *, to_the_right: bool) -> str:
    blanks = " " * (width - _width(cell))
    return blanks + cell if to_the_right else cell + blanks


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )
