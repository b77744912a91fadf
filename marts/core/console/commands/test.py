"""`marts test`: check what is published, or the sources."""

from __future__ import annotations

import datetime
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from marts.core.console import wiring
from marts.core.console.interrupts import Interrupts
from marts.core.console.options import json_option, option, run_options, with_settings
from marts.core.project.settings import Settings

if TYPE_CHECKING:
    from marts.core.run.backend import Backend


@click.command("test")
@run_options
@option("--sources", is_flag=True, help="Check the sources instead of the marts.")
@option(
    "--invariants",
    is_flag=True,
    help="Also check how each mart would respond to changes of its sources.",
)
@json_option
@click.pass_obj
@with_settings
def command(
    settings: Settings, stop: Interrupts, sources: bool, invariants: bool, as_json: bool
) -> int:
    """Check the marts as they are published, or the sources.

    Each SELECTOR names marts as --select does; without one, all that are published are checked.
    """
    from marts.core.console.execution import carry_out
    from marts.core.plan.planner import exempted, plan_checks
    from marts.core.query.invariant_checks import with_invariants
    from marts.core.run.artifacts import prepare
    from marts.core.run.inspection import inspect_engine
    from marts.core.run.recording import Recorder

    graph, selected, _ = wiring.selected(settings)
    if not settings.select:
        # A temporary mart is built and checked only if it is named.
        selected = tuple(n for n in selected if not graph.project.marts[n].is_temporary)
    if invariants:
        graph = with_invariants(graph)
    if sources:
        selected = ()
    prepare(settings.target)
    with wiring.connected(graph, settings, read_only=True) as backend:
        as_of = wiring.as_of(
            settings,
            lambda: (
                published_as_of(backend, graph.project.package, selected) or backend.data_as_of()
            ),
        )
        state = inspect_engine(graph, selected, backend, source_checks=sources)
        plan = plan_checks(graph, selected, state, as_of, source_checks=sources)
        if invariants:
            plan = replace(plan, skipped=(*plan.skipped, *exempted(graph, selected)))
        done = partial(carry_out, graph, plan, backend, target=settings.target, stop=stop)
        return done(recorder=Recorder(backend, wiring.run_id()), as_json=as_json)


def published_as_of(
    backend: Backend, package: str, selected: tuple[str, ...]
) -> datetime.date | None:
    """Return the as-of date of the published marts among the selected, None if there are none."""
    from marts.core.errors import UsageError

    dates = {
        row.as_of
        for row in backend.state()
        if row.as_of and row.name in selected and row.package in (package, None)
    }
    if len(dates) > 1:
        days = ", ".join(str(day) for day in sorted(dates))
        raise UsageError(
            f"the published marts have different as-of dates: {days}",
            hint="pass --as-of, select marts of one date, or run all again",
        )
    return dates.pop() if dates else None
