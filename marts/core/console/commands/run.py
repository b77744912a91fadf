"""`marts run`: build, check and publish."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from marts.core.console.interrupts import Interrupts
from marts.core.console.options import (
    defer_option,
    json_option,
    option,
    options,
    run_options,
    with_settings,
)
from marts.core.console.streams import warn
from marts.core.project.settings import Settings

publishing_options = options(
    option("--no-source-checks", is_flag=True, help="Do not check the sources."),
    option(
        "--accept-shrink", is_flag=True, help="Publish even if a source has lost half of its rows."
    ),
    option("--force", is_flag=True, help="Build marts that are up to date, too."),
    option(
        "--adopt",
        multiple=True,
        metavar="MART",
        help="Replace a table of this name even if it is not recorded as made by this package.",
    ),
    option(
        "--reshape",
        multiple=True,
        metavar="MART",
        help="Snowflake: let columns, types or kind of this mart change for those who read it.",
    ),
    option(
        "--lock-timeout",
        type=click.IntRange(min=1),
        metavar="SECONDS",
        help="Snowflake: wait this long for another run that is publishing."
        "  [default: LOCK_TIMEOUT of the connection, else 600]",
    ),
    option("--require-proof", is_flag=True, help="Refuse marts that are not proven: marts prove."),
    option(
        "--proof-file",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="The proofs that count.  [default: those that are recorded beside the marts, on DuckDB"
        " also proof.json in --target]",
    ),
    option(
        "--accept-unproven",
        multiple=True,
        metavar="MART",
        help="Publish it without a proof, this time; needs --reason.",
    ),
    option("--reason", metavar="TEXT", help="Why it may be published without; recorded."),
    option("--drop-orphans", is_flag=True, help="Drop published marts that no longer exist."),
    option("--diff", is_flag=True, help="Print what publishing changes, in each mart."),
    option(
        "--max-change",
        metavar="PERCENT",
        help="Publish nothing if more than this changes of a mart's rows, or of the sum of one of"
        " its numbers, such as 5%; what changes with every as-of date is left out.",
    ),
    option("--dry-run", is_flag=True, help="Print what would be done, and why, without doing it."),
)


@click.command("run")
@run_options
@defer_option
@publishing_options
@json_option
@click.pass_obj
@with_settings
def command(
    settings: Settings,
    stop: Interrupts,
    no_source_checks: bool,
    accept_shrink: bool,
    force: bool,
    adopt: tuple[str, ...],
    accept_unproven: tuple[str, ...],
    reason: str | None,
    drop_orphans: bool,
    diff: bool,
    max_change: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Build marts that are not up to date, check them, and publish all of a group or none.

    By default, all marts are one group. Each SELECTOR names marts as --select does; without one,
    all are built.
    """
    from marts.core.operations import unchanged
    from marts.core.operations.run_options import RunOptions

    options = RunOptions(
        checks_sources=not no_source_checks,
        accept_shrink=accept_shrink,
        force=force,
        adopt=adopt,
        accept_unproven=accept_unproven,
        reason=reason,
        drop_orphans=drop_orphans,
    )
    is_plain = not (dry_run or diff) and max_change is None
    inputs = unchanged.inputs_of(settings, options) if is_plain else None
    if inputs and (again := unchanged.repeated(settings, inputs)):
        from marts.core.console.again import print_again

        return print_again(*again, as_json=as_json)
    # To import these takes longer than the whole of such a run.
    from marts.core.console.execution import carry_out_and_print, print_plan, reviewing
    from marts.core.operations.reviewing import rate_of
    from marts.core.operations.run import prepared_run

    most = rate_of(max_change, dry_run=dry_run, shows=diff)
    with prepared_run(settings, options, dry_run=dry_run, warn=warn) as prepared:
        if dry_run:
            return print_plan(prepared, as_json=as_json)
        if diff or most:
            reviewed = reviewing(prepared, most, as_json=as_json)
            return carry_out_and_print(reviewed, stop=stop, as_json=as_json)
        done = partial(unchanged.remember, settings, options, inputs) if inputs else None
        return carry_out_and_print(prepared, stop=stop, as_json=as_json, done=done)
