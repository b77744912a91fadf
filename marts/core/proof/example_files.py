"""Write a world and the rows of a mart as an example."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from marts.core.authoring.checks import RelationshipCheck
from marts.core.authoring.columns import Column
from marts.core.authoring.tables import Mart, Source
from marts.core.project.loading import Declarations
from marts.core.proof.example_cells import arrow_type, is_number, written
from marts.core.proof.example_text import ARROW, WrittenTable, formatted
from marts.core.proof.worlds import World


def write_example(
    path: Path,
    world: World,
    mart: Mart,
    expected: pa.Table,
    title: str,
    *,
    project: Declarations,
    columns: Mapping[str, Collection[str]] | None = None,
) -> None:
    """Write an example, which `read_example` reads as the same rows; create its folder.

    `expected` has some or all columns of the mart. `columns` names, by source, those that are
    written: by default all; the other columns, and sources, are completed when it is read. Tables
    without rows are left out, unless they would be completed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = example_text(world, mart, expected, title, project=project, columns=columns)
    path.write_text(text, "utf-8")


def example_text(
    world: World,
    mart: Mart,
    expected: pa.Table,
    title: str,
    *,
    project: Declarations,
    columns: Mapping[str, Collection[str]] | None = None,
) -> str:
    """Return an example as text, as `write_example` writes it."""
    tables = [
        _written(name, _chosen(project.sources[name], columns), world.tables[name])
        for name in _needed(world, project.sources)
        if columns is None or name in columns or not world.tables[name].num_rows
    ]
    named = {column.name: column for column in mart.columns}
    chosen = [named[name] for name in expected.column_names]
    tables.append(_written(f"{ARROW} {mart.name}", chosen, expected))
    return formatted(title, world.as_of, tables)


def _needed(world: World, sources: Mapping[str, Source]) -> Iterator[str]:
    """Yield the sources that have rows, and those that would be completed with some."""
    needed, waiting = set[str](), [name for name, rows in world.tables.items() if rows.num_rows]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            checks = (each for each in sources[name].checks if isinstance(each, RelationshipCheck))
            waiting += [check.to_table for check in checks if check.to_table in sources]
    yield from (name for name in sources if name in needed and name in world.tables)


def _chosen(source: Source, columns: Mapping[str, Collection[str]] | None) -> list[Column]:
    """Return the columns of a source to write, in the contract's order: at least one."""
    if columns is None:
        return list(source.columns)
    wanted = {*columns.get(source.name, ()), *source.grain} or {source.columns[0].name}
    return [column for column in source.columns if column.name in wanted]


def _written(heading: str, columns: Iterable[Column], table: pa.Table) -> WrittenTable:
    columns = list(columns)
    kinds = [arrow_type(column) for column in columns]
    cells = [
        [written(value, kind) for value in table[column.name].to_pylist()]
        for column, kind in zip(columns, kinds, strict=True)
    ]
    return WrittenTable(
        heading,
        [column.name for column in columns],
        list(zip(*cells, strict=True)),
        [is_number(kind) for kind in kinds],
    )
