"""Print the results of `marts prove`."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Collection, Mapping, Sequence

from rich.console import Console

from marts.core.console.mutation_messages import proof_remedy_lines, stale_line
from marts.core.console.mutation_terminal import print_mutant
from marts.core.console.proof_messages import (
    MOST_ROWS,
    answers_table,
    end_lines,
    examples_remedy_lines,
    failure_line,
    honesty_lines,
    proof_lines,
    proof_table,
    unread_line,
    world_tables,
)
from marts.core.console.terminal import LONGEST_LINE, fits, say, table_text
from marts.core.operations.proving import Proven
from marts.core.proof.results import Failure, MartResult

FEW_MUTANTS = 3
"""As many mutants are shown that only examples could have killed."""
INDENT = 8
"""How far the tables of a failure are from the margin."""


def proven_text(proven: Proven, *, allowed_in: str) -> str:
    """Return as text what `print_proven` prints."""
    text = io.StringIO()
    print_proven(Console(file=text, width=LONGEST_LINE, highlight=False), proven, allowed_in)
    return text.getvalue()


def print_proven(where: Console, proven: Proven, allowed_in: str) -> None:
    """Print what failed and what survives, the table, how it ended, and what that says.

    `allowed_in` is the file with the mutants that may survive.
    """
    tried = proven.tried
    for result in tried.results:
        for failure in result.failures:
            _print_failure(where, failure, tried.columns[failure.mart, failure.kind])
            if case := tried.cases.get((failure.mart, failure.kind)):
                where.print(f"      saved; to try it again: marts prove --case {case}")
    _print_mutants(where, tried.results, allowed_in)
    for refused in proven.refused:
        say(where, ("warn", str(refused)))
    for mart, file in tried.unread.items():
        say(where, unread_line(mart, file))
    for finding in tried.findings:
        say(where, ("warn", str(finding)))
    names, rows, numbers = proof_table(proven)
    if fits(names, rows, room=_room(where)):
        where.print(table_text(names, rows, numbers=numbers, room=_room(where)))
    else:
        where.print("\n".join(proof_lines(proven)))
    for line in end_lines(proven):
        say(where, line)
    for text in honesty_lines(tried):
        where.print(text, soft_wrap=not where.is_terminal)


def _print_mutants(where: Console, results: Sequence[MartResult], allowed_in: str) -> None:
    """Print mutants that survive, entries of the list that are stale, and what to do.

    Where only examples are compared, many may survive: a few are shown.
    """
    scored = [(r, r.mutants) for r in results if r.mutants is not None and not r.failures]
    surviving = [m for each, found in scored if each.is_compared for m in found.surviving]
    for mutant in surviving:
        print_mutant(where, mutant)
    for _, found in scored:
        for stale in found.stale:
            say(where, stale_line(stale))
    if surviving:
        where.print("\n".join(["", *proof_remedy_lines(surviving, allowed_in), ""]))
    for each, found in scored:
        if each.examples and not each.is_compared and found.surviving:
            for mutant in found.surviving[:FEW_MUTANTS]:
                print_mutant(where, mutant)
            where.print("\n".join(["", *examples_remedy_lines(each.mart, found), ""]))


def _print_failure(
    where: Console, failure: Failure, columns: Mapping[str, Collection[str]]
) -> None:
    say(where, failure_line(failure))
    where.print(f"      as of {failure.world.as_of}")
    for title, names, rows in world_tables(failure.world, columns):
        where.print(f"      {title}")
        if rows:
            _print_table(where, names, rows)
    if failure.world.rows > MOST_ROWS:
        where.print("      no smaller input was found in time")
    if failure.differences is not None:
        where.print(f"      {failure.mart}:")
        _print_table(where, *answers_table(failure.differences, failure.sides))
    elif failure.error is not None and failure.kind != "invariant":
        _print_indented(where, failure.error)


def _print_table(where: Console, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    _print_indented(where, table_text(names, rows, room=_room(where) - INDENT))


def _print_indented(where: Console, text: str) -> None:
    where.print(textwrap.indent(text, " " * INDENT))


def _room(where: Console) -> int:
    return where.width if where.is_terminal else LONGEST_LINE
