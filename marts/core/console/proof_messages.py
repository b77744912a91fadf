"""The messages of `marts prove`: one table, what failed, and what a proof says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from marts.core.console.messages import Line
from marts.core.operations.prove import Tried
from marts.core.operations.proving import Proven
from marts.core.plan.proofs import Proof
from marts.core.project.proof_modules import DEFAULT
from marts.core.proof.comparison import Differences
from marts.core.proof.equivalent_mutants import MutationReport
from marts.core.proof.results import Failure, MartResult
from marts.core.proof.worlds import World
from marts.core.run.artifacts import describe_finding
from marts.core.run.formats import counted, shown_cell

NONE = "–"  # noqa: RUF001
MOST_ROWS = 20
"""As many rows of a world and of its answers are shown."""
NUMBERS = ("worlds", "examples", "invariants")
"""The columns of the table that are aligned to the right, besides those of engines."""


def proof_table(proven: Proven) -> tuple[list[str], list[list[str]], frozenset[int]]:
    """Return the names of the columns, a row for each mart, and the positions of numbers."""
    others = proven.tried.engines[1:]
    names = ["mart", "worlds", *others, "twin", "examples", "invariants"]
    names += ["mutants killed", "proven"]
    rows = [_row(each, others, proven) for each in proven.tried.results]
    numbers = {names.index(name) for name in (*NUMBERS, *others)}
    return names, rows, frozenset(numbers)


def _row(result: MartResult, others: Sequence[str], proven: Proven) -> list[str]:
    return [
        result.mart,
        f"{result.worlds:,}",
        *(f"{result.engines.get(name, 0):,}" for name in others),
        _twin(result) or NONE,
        _examples(result) or NONE,
        str(result.invariants or NONE),
        _mutants(result) or NONE,
        _verdict(result, proven),
    ]


def proof_lines(proven: Proven) -> Iterator[str]:
    """Yield the rows of the table as lines, for a terminal that is too narrow for it."""
    for each in proven.tried.results:
        parts = [
            counted(each.worlds, "world"),
            *(f"{each.engines.get(name, 0):,} on {name}" for name in proven.tried.engines[1:]),
            f"twin: {twin}" if (twin := _twin(each)) else "",
            f"examples: {examples}" if (examples := _examples(each)) else "",
            counted(each.invariants, "invariant") if each.invariants else "",
            f"mutants killed: {mutants}" if (mutants := _mutants(each)) else "",
        ]
        yield f"{each.mart}: proven: {_verdict(each, proven)}"
        yield f"  {'; '.join(filter(None, parts))}"


def _verdict(result: MartResult, proven: Proven) -> str:
    """Return whether the mart is proven as the project asks, or else how much is."""
    record = proven.proofs.get(result.mart)
    if result.has_failed:
        return "FAIL"
    if record is None or record.quick or record.level is None:
        return "no"
    return "yes" if record.proves(proven.wanted) else f"{record.level} only"


def _twin(result: MartResult) -> str:
    """Return whether it has a twin, or how many marts that read it stand in with theirs."""
    if result.has_twin:
        return "yes"
    return counted(len(result.readers), "reader") if result.readers else ""


def _examples(result: MartResult) -> str:
    """Return how many examples hold, and of how many if not all do."""
    held, tried = result.examples, result.examples_tried
    return f"{held} of {tried}" if held < tried else str(held or "")


def _mutants(result: MartResult) -> str:
    """Return how many planted defects were noticed; nothing if the mart itself was wrong."""
    found = result.mutants
    if found is None or result.failures:
        return ""
    others = {
        "allowed": len(found.allowed),
        "survives" if len(found.surviving) == 1 else "survive": len(found.surviving),
    }
    alive = ", ".join(f"{count} {what}" for what, count in others.items() if count)
    return f"{found.killed} ({alive})" if alive else str(found.killed)


def examples_remedy_lines(mart: str, mutants: MutationReport) -> Iterator[str]:
    """Yield how many mistakes the examples of a mart would not notice, some of which are shown."""
    total, alive = len(mutants.run.results), len(mutants.surviving)
    yield f"No example of {mart} would notice {alive} of {total} planted mistakes, such as these."
    yield "More rows in an example may; a twin would notice all that show on any world."


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
            yield title, shown, [[shown_cell(each) for each in r.values()] for r in rows]
    empty = [name for name, table in world.tables.items() if not table.num_rows]
    if empty:
        yield f"no rows: {', '.join(empty)}", [], []


def answers_table(found: Differences, sides: tuple[str, str]) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and a row for each cell, or row, that differs."""
    rows = [
        [
            *map(shown_cell, each.key),
            each.column,
            shown_cell(each.actual),
            shown_cell(each.expected),
        ]
        for each in found.cells
    ]
    rows += [[*map(shown_cell, key), "", "a row", "no row"] for key in found.only_actual]
    rows += [[*map(shown_cell, key), "", "no row", "a row"] for key in found.only_expected]
    return [*found.grain, "column", *sides], rows[:MOST_ROWS]


def end_lines(proven: Proven) -> Iterator[Line]:
    """Yield how it ended, and what is left to do for the level that the project asks for."""
    tried, count = proven.tried, counted(len(proven.tried.results), "mart")
    took = f"in {tried.seconds:.0f} s"
    if tried.is_partial:
        failed = [each.mart for each in tried.results if each.has_failed]
        yield (
            ("stop", f"{len(failed)} of {count} failed, {took}: {', '.join(failed)}")
            if failed
            else ("done", f"nothing failed of {count}, {took}; this is not a proof")
        )
        return
    for name in proven.unproven:
        if remedy := _remedy(tried, name):
            yield "warn", f"{name}: {remedy}"
    number = len(tried.results) - len(proven.unproven)
    text = f"{number} of {count} proven at the level {proven.wanted}, {took}"
    text += f"; recorded in {proven.file}"
    yield ("stop" if proven.has_failed else "done"), text


def _remedy(tried: Tried, name: str) -> str | None:
    (result,) = (each for each in tried.results if each.mart == name)
    if result.failures or result.mutants is None:
        return None
    if result.is_compared:
        return None
    twin = f'@twin("{name}") in tests/proof/, or in the package'
    example = f"an example in tests/examples/{name}/"
    if result.examples:
        return f"its examples would not notice every mistake: add {twin}, or {example}"
    return f"it has no reference: write {twin}, or {example}"


def unread_line(mart: str, file: Path) -> Line:
    """Return that a twin is not read, and where it would be."""
    text = f"{mart}: its twin in {file} is not read: move the file to {DEFAULT}/, or name it in"
    return "warn", f'{text} [tool.marts]: proof = ["{file.parent}"]'


def honesty_lines(tried: Tried) -> Iterator[str]:
    """Yield what this does and does not say."""
    origins = [f"{n:,} {what}" if n > 1 else what for what, n in tried.worlds.items()]
    if count := sum(tried.worlds.values()):
        yield f"Tried on {counted(count, 'world')}: {', '.join(origins)}."
    yield "A mistake that shows on none of them is not found."
    if "emulator" in tried.engines:
        yield (
            "The emulator is not Snowflake: known differences are warned of above, and"
            " `marts prove --connection NAME` tries the worlds on an account."
        )
    yield "What a proof says, and what it does not: marts help proof"


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
    killed = result.scores.killed if result.scores else {}
    return {
        "mart": result.mart,
        "worlds": result.worlds,
        "engines": dict(result.engines),
        "twin": result.has_twin,
        "examples": result.examples,
        "killed_by_examples": {name: len(found) for name, found in killed.items()},
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
