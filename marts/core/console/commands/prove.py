"""`marts prove`: show that marts compute the right numbers, on both engines."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import click

from marts.core.console.commands.mutate import equivalents
from marts.core.console.exit_codes import DONE, FAILED
from marts.core.console.options import (
    ALLOWED,
    allow_option,
    json_option,
    option,
    selection_options,
    target_option,
    with_settings,
)
from marts.core.project.settings import Settings


@click.command("prove")
@selection_options
@option("--quick", is_flag=True, help="Try for ten seconds; this proves nothing.")
# No variable sets it: that of a production run would try the worlds there, unasked.
@click.option(
    "--connection",
    "account",
    metavar="NAME",
    help="Try the worlds on an account, in a schema that is dropped, not on the emulator.",
)
@option(
    "--case",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="Try a saved failure again, and nothing else.",
)
@allow_option
@target_option
@json_option
@click.pass_obj
@with_settings
def command(
    settings: Settings,
    stop: Event,
    quick: bool,
    account: str | None,
    case: Path | None,
    allow: Path | None,
    as_json: bool,
) -> int:
    """Prove that marts compute the right numbers, before anything is pushed.

    Each mart is built on small data sets that meet every threshold of its expressions: by DuckDB,
    and by Snowflake's SQL on a local emulator. Its rows are compared with its twin in pandas, with
    examples and with invariants; then defects are planted in it, and each must be noticed. Of what
    fails, the smallest input is shown. Each SELECTOR names marts as --select does; without one, all
    are proven.
    """
    from marts.core.console import proof_terminal, terminal
    from marts.core.console.proof_messages import proof_document
    from marts.core.operations.prove import ProveOptions
    from marts.core.operations.proving import proven

    console = terminal.console(to_stderr=as_json)
    default = settings.folder / ALLOWED
    options = ProveOptions(
        quick=quick,
        connection=account,
        allowed=equivalents(allow, default=default),
        case=case,
    )
    with terminal.showing(console) as show:

        def watch(what: str) -> None:
            if stop.is_set():
                raise KeyboardInterrupt
            show(what)

        found = proven(settings, options, watch=watch)
    proof_terminal.print_proven(console, found, allowed_in=str(allow or default))
    if as_json:
        terminal.print_json(proof_document(found))
    return FAILED if found.has_failed else DONE
