"""`marts witness`: the smallest rows on which a mart gives another answer than it did."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import click

from marts.core.console.completion import complete_marts
from marts.core.console.exit_codes import DONE, FAILED
from marts.core.console.options import (
    Day,
    json_option,
    option,
    package_option,
    with_settings,
)
from marts.core.project.settings import Settings

if TYPE_CHECKING:
    from marts.core.operations.witness import Found


@click.command("witness")
@click.argument("mart", shell_complete=complete_marts)
@package_option
@option(
    "--against",
    metavar="REV|FILE|mutant:N",
    default="HEAD",
    show_default=True,
    help="A git revision of the package, another version of the mart's file, or a mutant, by its"
    " number or by its text in `marts mutate`.",
)
@option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Data to compare the versions on first: a folder with a file for each source, or a DuckDB"
    " file.  [default: made-up worlds alone]",
)
@option(
    "--as-of",
    type=Day(),
    metavar="YYYY-MM-DD",
    help="The date to calculate for.  [default: the data's own, and several for made-up worlds]",
)
@option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=10,
    show_default=True,
    help="How long to look for fewer and simpler rows, once some are found.",
)
@option(
    "--accept",
    type=click.Choice(["was", "is"]),
    help="Store this answer as an example, which `marts prove` tries from then on.",
)
@option("--name", metavar="NAME", help="The name of the example.  [default: made up]")
@json_option
@click.pass_obj
@with_settings
def command(
    settings: Settings,
    stop: Event,
    mart: str,
    against: str,
    seconds: float,
    accept: str | None,
    name: str | None,
    as_json: bool,
) -> int:
    """Show on which rows a mart gives another answer than it did.

    The mart is compared with another version of it, by default the one that is committed. Both are
    built on small data sets that meet every threshold. If they differ, the smallest source rows for
    which they do are printed, then what the result was and what it is. The exit code is 0 if there
    is no difference, or if an answer is accepted, and 1 if there is one.
    """
    from marts.core.console import terminal
    from marts.core.console.witness_messages import witness_document
    from marts.core.operations.accepting import accept_answer
    from marts.core.operations.witness import WitnessOptions, find_witness

    console = terminal.console(to_stderr=True)
    options = WitnessOptions(against=against, seconds=seconds)
    with terminal.showing(console) as show:

        def watch(what: str) -> None:
            if stop.is_set():
                raise KeyboardInterrupt
            show(what)

        found = find_witness(settings, mart, options, watch=watch)
    accepted = accept_answer(settings, found, accept, name=name) if accept else None
    if as_json:
        terminal.print_json(witness_document(found, accepted))
    else:
        _print(found, against, hints=accept is None)
        if accepted:
            terminal.print_text(f"stored as an example: {accepted}")
    return FAILED if found.comparison.differs and not accepted else DONE


def _print(found: Found, against: str, *, hints: bool) -> None:
    """Print what was found: rows as tables, which a narrow terminal shows as lists."""
    from marts.core.console import terminal
    from marts.core.console import witness_messages as messages

    comparison, witness = found.comparison, found.comparison.witness
    terminal.print_text(messages.head_line(found))
    if witness:
        tables = [*messages.source_tables(found, witness)]
        if witness.differences:
            tables += messages.answer_tables(found, witness.differences)
        for table in tables:
            terminal.print_text(f"\n{table.title}")
            numbers = terminal.numbers_in(table.rows)
            terminal.print_table(table.names, table.cells, numbers=numbers)
            if table.note:
                terminal.print_text(table.note)
        for line in messages.failure_lines(witness):
            terminal.print_text(line)
    for line in messages.contract_lines(comparison.contracts):
        terminal.print_text(line)
    for line in messages.note_lines(comparison):
        terminal.print_text(line)
    if hints and witness:
        for line in messages.accept_lines(comparison, against):
            terminal.print_text(line)
