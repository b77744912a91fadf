"""`marts run`: build, check and publish."""

from __future__ import annotations

from functools import partial

import click

from marts.core.console import wiring
from marts.core.console.exit_codes import DONE
from marts.core.console.interrupts import Interrupts
from marts.core.console.options import (
    defer_option,
    json_option,
    option,
    options,
    run_options,
    with_settings,
)
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
    option("--drop-orphans", is_flag=True, help="Drop published marts that no longer exist."),
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
    drop_orphans: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Build marts that are not up to date, check them, and publish all of them or none.

    Each SELECTOR names marts as --select does; without one, all are built.
    """
    from marts.core.console.execution import carry_out, print_plan
    from marts.core.plan.changes import plan_changes, with_reshapes
    from marts.core.plan.findings import findings_of, findings_of_views
    from marts.core.plan.fingerprint import CurrentInputs
    from marts.core.plan.source_checks import SourceCheckOptions, source_checks
    from marts.core.run.artifacts import prepare
    from marts.core.run.building import planned_tables
    from marts.core.run.inspection import inspect_engine

    graph, selected, reliance = wiring.selected(settings)
    if not dry_run:
        prepare(settings.target)
    wanted = SourceCheckOptions(source_checks=not no_source_checks, accept_shrink=accept_shrink)
    with (
        wiring.connected(graph, settings, read_only=dry_run) as backend,
        wiring.recorded(graph, settings, backend, dry_run=dry_run) as recorder,
    ):
        as_of = wiring.as_of(settings, backend.data_as_of)
        recorder.planned(as_of.day)
        state = inspect_engine(graph, selected, backend, also=reliance.columns_of_sources(selected))
        plan = plan_changes(
            graph,
            selected,
            CurrentInputs(
                graph, state, as_of, backend.compile, checks_sources=wanted.source_checks
            ),
            run_id=recorder.run_id,
            force=force,
            source_checks=partial(source_checks, graph, reliance, state, wanted),
            adopt=adopt,
            drop_orphans=drop_orphans,
        )
        # A table that is adopted is replaced, whatever its columns are.
        plan = with_reshapes(plan, graph, {*settings.reshape, *adopt})
        shapes = backend.shape_changes(planned_tables(plan, backend), acknowledged=plan.reshapes)
        findings = (*findings_of(graph.project, plan), *findings_of_views(graph.project, plan))
        if dry_run:
            read = backend.sources_read()
            print_plan(plan, findings, shapes, read, as_json=as_json)
            return DONE
        done = partial(carry_out, graph, plan, backend, target=settings.target, stop=stop)
        done = partial(done, environment=settings.env)
        return done(recorder=recorder, findings=findings, as_json=as_json)
