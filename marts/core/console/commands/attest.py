"""`marts attest`: record proofs beside the marts."""

from __future__ import annotations

from pathlib import Path

import click

from marts.core.console.options import (
    account_options,
    database_option,
    option,
    package_option,
    schema_option,
    target_option,
    with_settings,
)
from marts.core.project.settings import BACKENDS, Settings


@click.command("attest")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@package_option
@option("--backend", type=click.Choice(BACKENDS), help="The engine.  [default: duckdb]")
@database_option
@schema_option
@account_options
@target_option
@with_settings
def command(settings: Settings, file: Path | None) -> None:
    """Record the proofs in FILE beside the marts, where `marts run --require-proof` finds them.

    By default, it is the file that `marts prove` writes. Rows are only added to the table of
    proofs, which is created if it does not exist: a role that may add rows to it suffices. Those
    that are there already are left out.
    """
    from marts.core.operations.proofs import append_records, proof_file
    from marts.core.run.formats import counted
    from marts.core.run.proof_records import read_records

    records = read_records(file or proof_file(settings))
    added = append_records(settings, records)
    others = (
        f"; {there} were there, or are of another package"
        if (there := len(records) - added)
        else ""
    )
    click.echo(f"recorded {counted(added, 'proof')}{others}")
