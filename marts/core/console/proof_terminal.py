"""Print the results of `marts prove`."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Collection, Mapping

from rich.console import Console

from marts.core.console.mutation_terminal import print_mutant
from marts.core.console.proof_messages import (
    NUMBERS,
    answers_table,
    end_lines,
    failure_line,
    honesty_lines,
    proof_table,
    world_tables,
)
from marts.core.console.terminal import LONGEST_LINE, say, table_text
from marts.core.operations.proving import Proven
from marts.core.proof.results import Failure


def proven_text(proven: Proven) -> str:
    """Return as text what `print_proven` prints."""
    text = io.StringIO()
    print_proven(Console(file=text, width=LONGEST_LINE, highlight=False), proven)
    return text.getvalue()


def print_proven(where: Console, proven: Proven) -> None:
    """Print what failed and what survives, the table, how it ended, and what that says."""
    tried = proven.tried
    for result in tried.results:
        for failure in result.failures:
            _print_failure(where, failure, tried.columns_read[failure.mart])
            if case := tried.cases.get((failure.mart, failure.kind)):
                where.print(f"      saved; to try it again: marts prove --case {case}")
        for mutant in result.mutants.surviving if result.mutants else ():
            print_mutant(where, mutant)
    for refused in proven.refused:
        say(where, ("warn", str(refused)))
    for finding in tried.findings:
        say(where, ("warn", str(finding)))
    names, rows = proof_table(proven)
    where.print(table_text(names, rows, numbers=NUMBERS))
    for line in end_lines(proven):
        say(where, line)
    for text in honesty_lines(tried):
        where.print(text)


def _print_failure(
    where: Console, failure: Failure, columns: Mapping[str, Collection[str]]
) -> None:
    say(where, failure_line(failure))
    where.print(f"      as of {failure.world.as_of}")
    for title, names, rows in world_tables(failure.world, columns):
        where.print(f"      {title}")
        if rows:
            _print_indented(where, table_text(names, rows))
    if failure.differences is not None:
        where.print(f"      {failure.mart}:")
        _print_indented(where, table_text(*answers_table(failure.differences, failure.sides)))
    elif failure.error is not None and failure.kind != "invariant":
        _print_indented(where, failure.error)


def _print_indented(where: Console, text: str) -> None:
    where.print(textwrap.indent(text, " " * 8))
