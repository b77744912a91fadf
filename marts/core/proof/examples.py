"""Examples: rows of sources and the rows of a mart that they must give, in files that people read.

They are in files `MART/NAME.md` of the setting `examples`; `example_text` has their form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from marts.core.authoring.columns import Column
from marts.core.authoring.tables import Mart, Source
from marts.core.errors import DefinitionError, MartsError, UsageError, did_you_mean
from marts.core.project.graph import Graph
from marts.core.project.loading import Declarations
from marts.core.project.settings import NOWHERE, Settings
from marts.core.proof.building import WorldBuilder
from marts.core.proof.cells import UnfitError
from marts.core.proof.comparison import Differences, compared_rows
from marts.core.proof.completion import Given, completed
from marts.core.proof.example_cells import arrow_type, read_cell
from marts.core.proof.example_text import ARROW, ExampleText, TextRow, TextTable, parsed
from marts.core.proof.source_checks import SourceChecker
from marts.core.proof.worlds import World

DEFAULT = Path("tests/examples")
SUFFIX = ".md"
NOT_EXAMPLES = ("readme.md",)
"""What a folder of examples may have for its readers."""


@dataclass(frozen=True)
class Example:
    """A world, and the rows of a mart that it must give, in some of the mart's columns.

    `notes` has a line for each source of which rows or columns were completed.
    """

    mart: Mart
    name: str
    title: str
    file: Path
    world: World
    expected: pa.Table
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExampleResult:
    """What a mart gives for an example: rows in the expected columns, or an error.

    It holds if nothing differs and nothing is an error.
    """

    example: Example
    actual: pa.Table | None = None
    differences: Differences | None = None
    error: MartsError | None = None

    @property
    def holds(self) -> bool:
        """Whether the mart gives what is expected."""
        return self.error is None and not self.differences


def examples_of(graph: Graph, settings: Settings) -> dict[str, tuple[Example, ...]]:
    """Return the examples of a project by mart, in build order, each mart's by name.

    They are below the setting `examples`, by default `tests/examples` if it exists. Raises
    UsageError if it does not exist, DefinitionError, with file and line, for an example that is
    written wrongly or in the folder of another mart.
    """
    found: dict[str, list[Example]] = {}
    for file in _files(settings):
        example = read_example(file, graph.project)
        if file.parent.name != example.mart.name:
            raise DefinitionError(
                f"an example of {example.mart.name} is in the folder {file.parent.name}",
                str(file),
                hint=f"move it to {file.parent.with_name(example.mart.name) / file.name}",
            )
        found.setdefault(example.mart.name, []).append(example)
    return {name: tuple(found[name]) for name in graph.order if name in found}


def _files(settings: Settings) -> list[Path]:
    folder = settings.examples
    if folder is None:
        folder = settings.folder / DEFAULT
    elif folder != NOWHERE and not folder.is_dir():
        raise UsageError(
            f"tool.marts.examples in {settings.file} names {folder}, which is not a folder",
            hint=f"create it, with files MART/NAME{SUFFIX} in it",
        )
    files = sorted(folder.rglob(f"*{SUFFIX}")) if folder.is_dir() else []
    return [file for file in files if file.name.lower() not in NOT_EXAMPLES]


def read_example(file: Path, project: Declarations) -> Example:
    """Read an example from its file, and complete it from the contracts.

    Raises DefinitionError, with file and line, for one that is written wrongly, UsageError if the
    file cannot be read.
    """
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}", str(error)) from error
    said = parsed(text, file=str(file))
    mart = _expected_mart(said, project)
    given = {table.name: _given(said, table, project) for table in said.given}
    made = completed(project.sources, given, said.as_of)
    world = World(made.tables, said.as_of, f"example {file.stem}")
    return Example(
        mart, file.stem, said.title, file, world, _expected(said, mart), notes=made.notes
    )


def _expected_mart(said: ExampleText, project: Declarations) -> Mart:
    name = said.expected.name
    if name not in project.marts:
        raise DefinitionError(
            f"{name} is not a mart",
            said.at(said.expected.line),
            hint=did_you_mean(name, project.marts) or f"the marts are: {', '.join(project.marts)}",
        )
    return project.marts[name]


def _given(said: ExampleText, table: TextTable, project: Declarations) -> Given:
    if table.name not in project.sources:
        is_mart = table.name in project.marts
        raise DefinitionError(
            f"{table.name} is {'a mart' if is_mart else 'not a source'}",
            said.at(table.line),
            hint=f"write ## {ARROW} {table.name} above the rows that are expected, and give"
            " the rows of sources"
            if is_mart
            else did_you_mean(table.name, project.sources)
            or f"the sources are: {', '.join(project.sources)}",
        )
    columns = _columns(said, table, project.sources[table.name])
    rows = tuple(_row(said, table, columns, row) for row in table.rows)
    locations = tuple(said.at(row.line) for row in table.rows)
    return Given(tuple(column.name for column in columns), rows, locations)


def _expected(said: ExampleText, mart: Mart) -> pa.Table:
    columns = _columns(said, said.expected, mart)
    rows = [_row(said, said.expected, columns, row) for row in said.expected.rows]
    schema = pa.schema([pa.field(column.name, arrow_type(column)) for column in columns])
    return pa.Table.from_pylist(rows, schema)


def _columns(said: ExampleText, table: TextTable, owner: Source | Mart) -> list[Column]:
    """Return the columns that a header names."""
    known = {column.name: column for column in owner.columns}
    names = table.header.cells
    for number, name in enumerate(names):
        if name not in known:
            raise DefinitionError(
                f"{owner.name} has no column {name or 'without a name'}",
                said.at(table.header.line),
                hint=did_you_mean(name, known) or f"its columns are: {', '.join(known)}",
            )
        if name in names[:number]:
            raise DefinitionError(
                f"the column {name} of {owner.name} is there twice",
                said.at(table.header.line),
                hint="remove one of them",
            )
    return [known[name] for name in names]


def _row(
    said: ExampleText, table: TextTable, columns: Iterable[Column], row: TextRow
) -> dict[str, Any]:
    values = {}
    for column, text in zip(columns, row.cells, strict=True):
        try:
            values[column.name] = read_cell(text, column)
        except UnfitError as error:
            null = ", null allowed" if column.null else ""
            raise DefinitionError(
                f"{table.name}.{column.name} is {text or 'empty'}: expected {column.type}{null}",
                said.at(row.line),
                hint=error.hint,
            ) from None
    return values


def run_examples(builder: WorldBuilder, examples: Iterable[Example]) -> Iterator[ExampleResult]:
    """Build the mart of each example from its rows, and compare it with what is expected.

    Yields a result for each. An example whose rows break checks of the sources, so that no run
    would publish the mart, is an error, and so is one for which the engine fails.
    """
    checker = SourceChecker(builder)
    for example in examples:
        yield _result(builder, checker, example)


def _result(builder: WorldBuilder, checker: SourceChecker, example: Example) -> ExampleResult:
    try:
        if error := _broken(checker, example):
            return ExampleResult(example, error=error)
        built = builder.build(example.world, [example.mart.name]).tables[example.mart.name]
    except MartsError as error:
        return ExampleResult(example, error=error)
    actual = built.select(example.expected.column_names)
    return ExampleResult(example, actual, compared_rows(example.mart, actual, example.expected))


def _broken(checker: SourceChecker, example: Example) -> DefinitionError | None:
    """Return the error for an example with rows that no run would accept, None for any other."""
    broken = checker.broken_by(example.world)
    if not broken:
        return None
    names = ", ".join(dict.fromkeys(source.name for source, _ in broken))
    return DefinitionError(
        f"the rows of the example {example.name} break checks of {names}:"
        " no run would publish a mart of them",
        *(f"{source.name}: {check.name}" for source, check in broken),
        *(f"completed: {note}" for note in example.notes),
        str(example.file),
        hint="give rows, and the columns that the checks need, that pass them",
    )
