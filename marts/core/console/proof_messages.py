"""The messages of `marts prove`: one table, what failed, and what a proof says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from marts.core.console.messages import Line, counted
from marts.core.operations.prove import Tried
from marts.core.operations.proving import Proven
from marts.core.plan.proofs import Proof
from marts.core.proof.comparison import Differences
from marts.core.proof.results import Failure, MartResult
from marts.core.proof.worlds import World
from marts.core.run.artifacts import describe_finding
from marts.core.run.formats import cell

NONE = "–"  # noqa: RUF001
MOST_ROWS = 20
"""As many rows of a world and of its answers are shown."""
NUMBERS = (1, 2, 4, 5, 6, 7, 8)
"""The positions of the table's columns that are aligned to the right."""


def proof_table(proven: Proven) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and a row for each mart."""
    others = proven.tried.engines[1:]
    names = ["mart", "worlds", *others, "reference", "examples", "invariants"]
    names += ["killed", "let live", "surviving", "proven"]
    rows = [_row(each, others, proven.proofs) for each in proven.tried.results]
    return names, rows


def _row(result: MartResult, others: Sequence[str], proofs: Mapping[str, Proof]) -> list[str]:
    mutants = result.mutants
    counts = (
        [mutants.killed, len(mutants.allowed), len(mutants.surviving)] if mutants else [NONE] * 3
    )
    return [
        result.mart,
        f"{result.worlds:,}",
        *(f"{result.engines.get(name, 0):,}" for name in others),
        _reference(result),
        str(result.examples or NONE),
        str(result.invariants or NONE),
        *map(str, counts),
        _verdict(result, proofs.get(result.mart)),
    ]


def _verdict(result: MartResult, record: Proof | None) -> str:
    if result.has_failed:
        return "FAIL"
    return record.level or "no" if record and not record.quick else "no"


def _reference(result: MartResult) -> str:
    if result.has_twin:
        return "twin"
    return f"through {counted(len(result.readers), 'mart')}" if result.readers else NONE


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


def end_lines(proven: Proven) -> Iterator[Line]:
    """Yield how it ended, and what is left to do for the level that the project asks for."""
    tried, count = proven.tried, counted(len(proven.tried.results), "mart")
    took = f"in {tried.seconds:.0f} s"
    if tried.is_partial:
        failed = [each.mart for each in tried.results if each.has_failed]
        yield (
            ("stop", f"{counted(len(failed), 'mart')} failed: {', '.join(failed)}; {took}")
            if failed
            else ("done", f"nothing failed of {count}, {took}; so short a try proves nothing")
        )
        return
    for name in proven.unproven:
        if remedy := _remedy(tried, name):
            yield "warn", f"{name}: {remedy}"
    number = len(tried.results) - len(proven.unproven)
    text = f"{number} of {count} proven by {proven.wanted}, {took}; recorded in {proven.file}"
    yield ("stop" if proven.has_failed else "done"), text


def _remedy(tried: Tried, name: str) -> str | None:
    (result,) = (each for each in tried.results if each.mart == name)
    if result.failures or (result.mutants and result.mutants.surviving):
        return None
    if not (result.has_twin or result.examples or result.readers):
        return f"it has no reference: write a @twin, or an example in tests/examples/{name}/"
    return None


def honesty_lines(tried: Tried) -> Iterator[str]:
    """Yield what this does and does not say."""
    worlds = ", ".join(f"{count:,} {origin}" for origin, count in tried.worlds.items())
    yield f"Worlds tried: {worlds}. A mistake that shows on none of them is not found."
    if "emulator" in tried.engines:
        yield "The emulator is not Snowflake: `marts compile` warns of known differences, and"
        yield "`marts prove --connection NAME` runs the same worlds on an account."
    yield "What a proof says and does not say: marts help proof"


def proof_document(proven: Proven) -> dict[str, object]:
    """Return the JSON document of the results."""
    tried = proven.tried
    return {
        "schema_version": 1,
        "engines": list(tried.engines),
        "worlds": dict(tried.worlds),
        "warnings": [describe_finding(each) for each in tried.findings],
        "seconds": round(tried.seconds, 3),
        "marts": [_document(each, proven.proofs) for each in tried.results],
    }


def _document(result: MartResult, proofs: Mapping[str, Proof]) -> Mapping[str, object]:
    mutants, record = result.mutants, proofs.get(result.mart)
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
        "digest": record.digest if record else None,
        "proven": None if record is None or record.quick else record.level,
    }
