"""`marts compile`: print SQL, without a connection."""

from __future__ import annotations

from pathlib import Path

import click

from marts.core.console import wiring
from marts.core.console.exit_codes import DONE, FAILED
from marts.core.console.options import (
    DEFAULTS,
    as_of_option,
    data_option,
    database_option,
    option,
    schema_option,
    selection_options,
    source_namespace_options,
    with_settings,
)
from marts.core.project.settings import BACKENDS, Settings


@click.command("compile")
@selection_options
@data_option
@database_option
@schema_option
@source_namespace_options
@as_of_option
@option(
    "--dialect",
    "backend",
    type=click.Choice(BACKENDS),
    help=f"The engine to compile for.  [default: {DEFAULTS.backend}]",
)
@option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write <mart>.sql files instead of printing.",
)
@option("--strict/--no-strict", help="Exit with 1 where engines would compute differently.")
@with_settings
def command(settings: Settings, output: Path | None) -> int:
    """Print the SQL of marts, and warn where engines would compute differently.

    Needs no connection. Each SELECTOR names marts as --select does; without one, all are compiled.
    """
    from backends.factory import offline_compiler
    from marts.core.console import terminal
    from marts.core.plan.findings import findings_of
    from marts.core.plan.planner import plan_run
    from marts.core.plan.state import declared_state
    from marts.core.plan.steps import compiled
    from marts.core.run.artifacts import write_sql

    graph, selected, _ = wiring.selected(settings)
    engine = offline_compiler(
        settings, data=wiring.data_of(settings), sources=wiring.contracts_of(graph)
    )
    state = declared_state(graph.project, sources=engine.sources)
    as_of = wiring.as_of(settings, lambda: engine.data_as_of)
    plan = plan_run(graph, selected, state, as_of)
    findings = findings_of(graph.project, plan)
    console = terminal.console(to_stderr=True)
    for finding in findings:
        terminal.say(console, ("warn", str(finding)))
    statements = compiled(plan, engine.compile)
    if output:
        write_sql(output, statements)
        console.print(f"wrote {len(statements)} files to {output}")
    else:
        day = plan.as_of.day
        terminal.print_text(
            "\n".join(f"-- {name}, as of {day}\n{sql};\n" for name, sql in statements.items())
        )
    return FAILED if settings.strict and findings else DONE
