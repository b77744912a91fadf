"""`marts test`: check what is published, or the sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from marts.core.console.interrupts import Interrupts
from marts.core.console.options import (
    defer_option,
    json_option,
    option,
    run_options,
    with_settings,
)
from marts.core.project.settings import Settings

if TYPE_CHECKING:
    from marts.core.console.messages import Line

NO_INVARIANTS = "invariants: the package declares none; see `marts help invariants`"


@click.command("test")
@run_options
@option("--sources", "of_sources", is_flag=True, help="Check the sources instead of the marts.")
@option(
    "--invariants",
    is_flag=True,
    help="Also check how each mart would respond to changes of its sources.",
)
@defer_option
@json_option
@click.pass_obj
@with_settings
def command(
    settings: Settings, stop: Interrupts, of_sources: bool, invariants: bool, as_json: bool
) -> int:
    """Check the marts as they are published, or the sources.

    Each SELECTOR names marts as --select does; without one, all that are published are checked.
    """
    from marts.core.console.execution import carry_out_and_print
    from marts.core.operations.test import prepared_test

    with prepared_test(settings, sources=of_sources, invariants=invariants) as prepared:
        notes: list[Line] = []
        if invariants and not prepared.graph.project.invariants:
            notes.append(("skip", NO_INVARIANTS))
        return carry_out_and_print(prepared, stop=stop, as_json=as_json, notes=notes)
