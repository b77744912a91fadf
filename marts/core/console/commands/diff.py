"""`marts diff`: compare two builds."""

from __future__ import annotations

import click

from marts.core.console import exit_codes
from marts.core.console.interrupts import Interrupts
from marts.core.console.options import (
    as_of_option,
    engine_options,
    json_option,
    option,
    options,
    selection_options,
    with_settings,
)
from marts.core.project.settings import Settings

MOST = 1_000
diff_options = options(
    option(
        "--against",
        metavar="ENV|DATABASE|DIR|REV|DATE",
        help="The build before: what an environment or a DuckDB database has published, or this"
        " code built on other data, as of another date, or the code of a git revision, both built"
        " on the same data.  [default: what is published here, and a build of this code after it]",
    ),
    option(
        "--largest",
        type=click.IntRange(0, MOST),
        default=3,
        show_default=True,
        help="Print this many of the largest changes of each column, and keys of rows that only one"
        " build has.",
    ),
)


@click.command("diff")
@selection_options
@engine_options
@as_of_option
@diff_options
@option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown"]),
    default="text",
    show_default=True,
    help="How the report is printed; Markdown is for a comment on a pull request.",
)
@json_option
@click.pass_obj
@with_settings
def command(
    settings: Settings,
    stop: Interrupts,
    against: str | None,
    largest: int,
    form: str,
    as_json: bool,
) -> int:
    """Compare two builds of marts, row by row.

    Rows are paired by the grain. Floats differ from 1e-9 of their size on, everything else unless
    it is identical. Nothing is published. The exit code is 0 if nothing differs, and 1 if anything
    does.
    """
    from marts.core.console import terminal
    from marts.core.console.against import meant
    from marts.core.console.diff_markdown import difference_markdown
    from marts.core.console.diff_messages import diff_document, difference_text
    from marts.core.operations import wiring
    from marts.core.operations.diff import diff

    # What an interrupt ends has to be removed.
    stop.raise_once()
    with terminal.showing(terminal.console(to_stderr=True)) as show:

        def watch(mart: str, rows: int) -> None:
            if stop.is_set():
                raise KeyboardInterrupt
            show(f"reading {mart}: {rows:,} rows")

        project = wiring.linked(settings)
        other = meant(against, settings, project)
        found = diff(settings, other, shown=largest, watch=watch, project=project)
    if as_json:
        terminal.print_json(diff_document(found))
    elif form == "markdown":
        terminal.print_text(difference_markdown(found))
    else:
        terminal.print_text(difference_text(found))
    return exit_codes.FAILED if found.is_different else exit_codes.DONE
