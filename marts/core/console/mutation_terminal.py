"""Print the results of `marts mutate`."""

from __future__ import annotations

import linecache
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from threading import Event

from rich.console import Console
from rich.text import Text

from marts.core.console.mutation_messages import remedy_lines, stale_line, summary_line
from marts.core.console.terminal import LONGEST_LINE, say
from marts.core.proof.equivalent_mutants import MutationReport, Stale
from marts.core.proof.mutants import Mutant


@contextmanager
def progress(where: Console, *, stop: Event) -> Iterator[Callable[[Mutant, int, int], None]]:
    """Show on a terminal which mutant runs; raise KeyboardInterrupt once `stop` is set."""
    with where.status("") if where.is_terminal else nullcontext() as status:

        def watch(mutant: Mutant, number: int, total: int) -> None:
            if stop.is_set():
                raise KeyboardInterrupt
            if status:
                status.update(f"{mutant.mart.name}: mutant {number + 1} of {total}")

        yield watch


def print_reports(
    where: Console,
    reports: Sequence[MutationReport],
    unknown: Sequence[Stale],
    *,
    allowed_in: str,
) -> None:
    """Print each mutant that survives, each stale entry, and what to do."""
    surviving = [mutant for each in reports for mutant in each.surviving]
    for mutant in surviving:
        print_mutant(where, mutant)
    stale = [*unknown, *(each for report in reports for each in report.stale)]
    if surviving or stale:
        where.print()
    for each in stale:
        say(where, stale_line(each))
    if surviving:
        where.print("\n".join(remedy_lines(surviving, allowed_in)))
        where.print()
    say(where, summary_line(reports, unknown))


def print_mutant(where: Console, mutant: Mutant) -> None:
    """Print a mutant as a diff, with the author's line."""
    file, _, line = mutant.location.rpartition(":")
    where.print()
    where.print(
        Text(mutant.location, style="bold") + Text(f"  {mutant.mart.name}, {mutant.operator}")
    )
    if source := linecache.getline(file, int(line)).strip():
        where.print(Text(f"    {source}", style="dim"))
    for sign, text, style in (("-", mutant.before, "red"), ("+", mutant.after, "green")):
        width = max(where.width, 40) if where.is_terminal else LONGEST_LINE
        lines = textwrap.wrap(text, width - 4, break_long_words=False, break_on_hyphens=False)
        where.print(Text(f"  {sign} " + "\n    ".join(lines), style=style))
