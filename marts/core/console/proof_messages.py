"""The messages of `marts prove`: one table, what failed, and what a proof says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from marts.core.console.messages import Line, counted
from marts.core.operations.prove import Tried
from marts.core.proof.comparison import Differences
from marts.core.proof.results import Failure, MartResult
from marts.core.proof.worlds import World
from marts.core.run.formats import cell

MOST_ROWS = 20
"""As many rows of a world and of its answers are shown."""
NUMBERS = (1, 2, 4, 5, 6, 7, 8)
"""The positions of the table's columns that are aligned to the right."""


def proof_table(tried: Tried) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and a row for each mart."""
    others = tried.engines[1:]
    names = ["mart", "worlds", *others, "reference", "examples", "invariants"]
    names += ["killed", "let live", "surviving", ""]
    return names, [_row(each, others) for each in tried.results]


def _row(result: MartResult, others: Sequence[str]) -> list[str]:
    mutants = result.mutants
    counts = (
        [mutants.killed, len(mutants.allowed), len(mutants.surviving)] if mutants else ["–"] * 3  # noqa: RUF001
    )
    return [
        result.mart,
        f"{result.worlds:,}",
        *(f"{result.engines.get(name, 0):,}" for name in others),
        _reference(result),
        str(result.examples or "–"),  # noqa: RUF001
        str(result.invariants or "–"),  # noqa: RUF001
        *map(str, counts),
        "FAIL" if result.has_failed else "ok",
    ]


def _reference(result: MartResult) -> str:
    if result.has_twin:
        return "twin"
    return f"through {', '.join(result.readers)}" if result.readers else "–"  # noqa: RUF001


def failure_line(failure: Failure) -> Line:
    """Return what failed."""
    return "FAIL", f"{failure.mart}: {failure.summary}"


def world_tables(
    world: World, columns: Mapping[str, Collection[str]]
) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Yield the rows of each source: a title, the names of the columns, and the cells.

    `columns` are those that matter, by source.
    """
    for name, table in world.tables.items():
        count = table.num_rows
        more = f", the first {MOST_ROWS} of them" if count > MOST_ROWS else ""
        shown = [each for each in table.column_names if each in columns.get(name, ())]
        rows = table.select(shown).slice(0, MOST_ROWS).to_pylist()
        if rows and shown:
            title = f"{name}: {counted(count, 'row')}{more}"
            yield title, shown, [[cell(each) for each in r.values()] for r in rows]
    empty = [name for name, table in world.tables.items() if not table.num_rows]
    if empty:
        yield f"no rows: {', '.join(empty)}", [], []


def answers_table(found: Differences, sides: tuple[str, str]) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and a row for each cell, or row, that differs."""
    rows = [
        [*map(cell, each.key), each.column, cell(each.actual), cell(each.expected)]
        for each in found.cells
    ]
    rows += [[*map(cell, key), "", "a row", "no row"] for key in found.only_actual]
    rows += [[*map(cell, key), "", "no row", "a row"] for key in found.only_expected]
    return [*found.grain, "column", *sides], rows[:MOST_ROWS]


def end_lines(tried: Tried) -> Iterator[Line]:
    """Yield how it ended."""
    failed = [each.mart for each in tried.results if each.has_failed]
    took = f"in {tried.seconds:.0f} s"
    if failed:
        yield "stop", f"{counted(len(failed), 'mart')} failed: {', '.join(failed)}; {took}"
    else:
        yield "done", f"nothing failed of {counted(len(tried.results), 'mart')}, {took}"


def honesty_lines(tried: Tried) -> Iterator[str]:
    """Yield what this does and does not say."""
    worlds = ", ".join(f"{count:,} {origin}" for origin, count in tried.worlds.items())
    yield f"Worlds tried: {worlds}. A mistake that shows on none of them is not found."
    if "emulator" in tried.engines:
        yield "The emulator is not Snowflake: `marts compile` warns of known differences, and"
        yield "`marts prove --connection NAME` runs the same worlds on an account."
    yield "What a proof says and does not say: marts help proof"


def proof_document(tried: Tried) -> dict[str, object]:
    """Return the JSON document of the results."""
    return {
        "schema_version": 1,
        "engines": list(tried.engines),
        "worlds": dict(tried.worlds),
        "seconds": round(tried.seconds, 3),
        "marts": [_document(each) for each in tried.results],
    }


def _document(result: MartResult) -> Mapping[str, object]:
    mutants = result.mutants
    return {
        "mart": result.mart,
        "worlds": result.worlds,
        "engines": dict(result.engines),
        "twin": result.has_twin,
        "examples": result.examples,
        "invariants": result.invariants,
        "readers": list(result.readers),
        "mutants": None
        if mutants is None
        else {
            "killed": mutants.killed,
            "allowed": len(mutants.allowed),
            "surviving": len(mutants.surviving),
        },
        "failures": [{"kind": each.kind, "summary": each.summary} for each in result.failures],
        "failed": result.has_failed,
    }
