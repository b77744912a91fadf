"""The failures of a proof as cases: with the columns that matter, and as files to try again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from marts.core.errors import MartsError
from marts.core.proof.completion import Given, completed
from marts.core.proof.example_files import write_example
from marts.core.proof.proving import Prover
from marts.core.proof.results import Failure, Kind
from marts.core.proof.shrinking import Shrinker
from marts.core.proof.worlds import World

CASES = Path("proof/cases")
"""Below the target, where failures are saved."""
MOST_ROWS = 50
"""Of more rows, it is not asked which columns matter."""

Columns = Mapping[str, frozenset[str]]
"""Columns by source."""


def columns_that_matter(failure: Failure, prover: Prover, shrinker: Shrinker) -> Columns:
    """Return the columns of a failure's world without which it would not show.

    They are those that the mart reads, and those that its twin needs: a mart that forgets a filter
    does not read its column. What is left out is made up, as that of an example is.
    """
    read = shrinker.columns_read(failure.mart)
    world = failure.world
    if failure.kind != "twin" or failure.differences is None or world.rows > MOST_ROWS:
        return read
    columns = {name: frozenset(table.column_names) for name, table in world.tables.items()}
    for name, unread in _unread(world, read):
        fewer = {**columns, name: columns[name] - {unread}}
        if _shows(failure, prover, fewer):
            columns = fewer
    return columns


def _unread(world: World, read: Columns) -> Iterator[tuple[str, str]]:
    for name, table in world.tables.items():
        for column in table.column_names if table.num_rows else ():
            if column not in read.get(name, ()):
                yield name, column


def _shows(failure: Failure, prover: Prover, columns: Columns) -> bool:
    """Tell whether the failure shows if other columns than these are made up."""
    world = failure.world
    given = {
        name: Given(tuple(shown), tuple(table.select(shown).to_pylist()))
        for name, table in world.tables.items()
        for shown in [[each for each in table.column_names if each in columns[name]]]
        if shown
    }
    try:
        tables = completed(prover.graph.project.sources, given, world.as_of).tables
    except MartsError:
        return False
    return prover.differs_from_twin(failure.mart, World(tables, world.as_of))


def saved_cases(
    failures: Mapping[tuple[str, Kind], Failure],
    columns: Mapping[tuple[str, Kind], Columns],
    folder: Path,
    prover: Prover,
) -> dict[tuple[str, Kind], Path]:
    """Write each failure with an answer as an example, in place of those of an earlier proof."""
    project, found = prover.graph.project, dict[tuple[str, Kind], Path]()
    shutil.rmtree(folder, ignore_errors=True)
    for (name, kind), failure in failures.items():
        expected, differences = failure.expected, failure.differences
        if kind == "example" or expected is None or not differences:
            continue
        mart = project.marts[name]
        differing = {each.column for each in differences.cells}
        shown = [c for c in expected.column_names if c in differing or c in mart.grain]
        found[name, kind] = folder / f"{name}-{kind}.md"
        write_example(
            found[name, kind],
            failure.world,
            mart,
            expected.select(shown) if differing else expected,
            f"{failure.sides[1]} differs from {failure.sides[0]}",
            project=project,
            columns=columns[name, kind],
        )
    return found
