"""Store one of two answers as an example of a mart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import pyarrow as pa

from marts.core.authoring.tables import Mart
from marts.core.errors import UsageError
from marts.core.operations.proof_engines import on_duckdb
from marts.core.operations.witness import Found
from marts.core.project.graph import Graph
from marts.core.project.settings import NOWHERE, Settings
from marts.core.proof.building import WorldBuilder
from marts.core.proof.example_files import write_example
from marts.core.proof.examples import DEFAULT, SUFFIX, read_example
from marts.core.proof.witness import Comparison, Witness, row_differences
from marts.core.proof.worlds import World

IS = "is"
NAME = re.compile(r"\w[\w-]*")


def accept_answer(settings: Settings, found: Found, answer: str, *, name: str | None) -> Path:
    """Write an example whose result is what a mart `was` or `is`, and return its file.

    It has the sources and columns on which the mart depends; the contracts complete the others,
    unless its answer would be another one then. Raises UsageError if no rows differ, if the version
    has no answer, and for a name that is taken or is not that of a file.
    """
    comparison, mart = found.comparison, found.comparison.now.mart
    witness = comparison.witness
    if witness is None:
        raise UsageError(
            f"there is no answer of {mart.name} to accept: no rows differ",
            hint="leave out --accept",
        )
    table = (witness.now if answer == IS else witness.was).table
    if table is None:
        raise UsageError(f"{mart.name} {answer} without an answer: it fails on these rows")
    file, expected = _file(settings, mart.name, name), table.select(_columns(witness, mart, table))
    title = f"{'Unlike' if answer == IS else 'As in'} {comparison.was.name}"
    write = partial(write_example, file, mart=mart, expected=expected, title=title)
    reads = _reads(comparison)
    _refuse_personal(found, {**reads, mart.name: expected.column_names})
    tables = {each: rows for each, rows in witness.world.tables.items() if each in reads}
    project = found.graph.project
    write(world=replace(witness.world, tables=tables), project=project, columns=reads)
    if not _gives(read_example(file, project).world, found.graph, mart, witness.now.table):
        file.unlink()
        _refuse_personal(found, {n: t.column_names for n, t in witness.world.tables.items()})
        write(world=witness.world, project=project)
    return file


def _refuse_personal(found: Found, columns: Mapping[str, Iterable[str]]) -> None:
    """Raise UsageError if an example would keep personal data of the rows that were given."""
    shown = [
        f"{table}.{column}"
        for table, names in columns.items()
        for column in sorted(found.hidden(table, names))
    ]
    if shown:
        raise UsageError(
            "an example of these rows would keep personal data; nothing was stored",
            *shown,
            hint="leave out --data, or write an example with made-up values",
        )


def _file(settings: Settings, mart: str, name: str | None) -> Path:
    given = settings.examples
    folder = (settings.folder / DEFAULT if given is None or given == NOWHERE else given) / mart
    if name is None:
        names = (f"witness_{number}" for number in count(1))
        files = (folder / f"{each}{SUFFIX}" for each in names)
        return next(each for each in files if not each.exists())
    if not NAME.fullmatch(name):
        raise UsageError(
            f"--name {name} is not the name of a file", hint="use letters, digits, _ and -"
        )
    file = folder / f"{name}{SUFFIX}"
    if file.exists():
        raise UsageError(f"there is an example {name} of {mart}", str(file), hint="name another")
    return file


def _columns(witness: Witness, mart: Mart, table: pa.Table) -> list[str]:
    """Return the columns to expect: the grain and what differs; all, if rows are only on a side."""
    found = witness.differences
    known = [column.name for column in mart.columns if column.name in table.column_names]
    if found is None or found.only_actual or found.only_expected:
        return known
    differing = {*mart.grain, *(each.column for each in found.cells)}
    return [name for name in known if name in differing]


def _reads(comparison: Comparison) -> dict[str, frozenset[str]]:
    """Return the columns of sources on which either version depends."""
    sides = (comparison.was.reads, comparison.now.reads)
    names = {name for side in sides for name in side}
    return {name: frozenset[str]().union(*(side.get(name, ()) for side in sides)) for name in names}


def _gives(world: World, graph: Graph, mart: Mart, expected: pa.Table | None) -> bool:
    """Tell whether a mart has some rows on a world."""
    if expected is None:
        return False
    with on_duckdb() as engine:
        built = WorldBuilder(graph, engine).build(world, [mart.name]).tables[mart.name]
    return not row_differences(mart, mart, built, expected)
