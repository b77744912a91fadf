"""The command line: parse, call, render, exit."""

from __future__ import annotations

import datetime
import errno
import gc
import signal
import sys
import threading
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from marts.core.console import exit_codes, extras
from marts.core.console import wiring as session
from marts.core.console.completion import complete_marts, complete_selectors
from marts.core.console.exit_codes import DONE, FAILED, INTERRUPTED
from marts.core.console.options import (
    account_options,
    as_of_option,
    corpus_option,
    database_option,
    engine_options,
    fixtures_option,
    json_option,
    option,
    options,
    package_option,
    publishing_options,
    run_options,
    schema_option,
    selection_options,
    size_options,
    source_namespace_options,
)
from marts.core.console.streams import (
    lost_output,
    open_streams,
    print_bug,
    print_error,
    print_usage,
    print_warning,
    warn,
)

# Everything heavier is imported by the command that needs it: `marts --help` loads click alone.
if TYPE_CHECKING:
    pass

interrupted = threading.Event()
"""Somebody pressed Ctrl-C, or asked the process to end."""

ALLOWED = Path("tests/equivalent_mutants.toml")
"""Where `marts mutate` looks for the mutants that are allowed."""


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 asked wrongly, 130 interrupted."""
    # Expressions and trees of SQL live to the end: looking for garbage takes a tenth of a run.
    gc.disable()
    interrupted.clear()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    sys.unraisablehook = _unraisable
    sys.excepthook = print_bug
    warnings.showwarning = print_warning  # type: ignore[assignment]
    open_streams()
    try:
        code = marts.main(standalone_mode=False)
    except click.ClickException as error:
        print_usage(error)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = INTERRUPTED
    except Exception as error:
        explained = extras.explained(error)
        code = exit_codes.of_error(explained)
        if code is None:
            raise
        print_error(explained)
    if (lost := lost_output()) and lost.errno != errno.EBADF:
        # What was asked for is done; who closes standard output knows that nothing is said.
        warn(f"not all was printed to standard output: {lost.strerror}")
    # Nor need Python look for garbage when it ends, and free it piece by piece.
    gc.freeze()
    sys.exit(code or DONE)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    # Python swallows what is raised while a finalizer runs, and Ibis has many: so the run looks
    # at the flag, too, before each step.
    interrupted.set()
    raise KeyboardInterrupt


def _unraisable(swallowed: sys.UnraisableHookArgs) -> None:
    if not issubclass(swallowed.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(swallowed)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="marts")
def marts() -> None:
    """Build, check and read customer metrics of a card portfolio."""


@marts.command()
@run_options
@publishing_options
@json_option
def run(
    no_source_checks: bool,
    accept_shrink: bool,
    force: bool,
    adopt: tuple[str, ...],
    drop_orphans: bool,
    dry_run: bool,
    as_json: bool,
    **settings: Any,
) -> int:
    """Build marts that are not up to date, check them, and publish all of them or none."""
    from marts.core.console import terminal
    from marts.core.console.messages import plan_document, plan_lines
    from marts.core.plan.changes import Present, plan_changes
    from marts.core.plan.findings import findings_of, findings_of_views
    from marts.core.plan.source_checks import Wanted, source_checks
    from marts.core.run.artifacts import prepare
    from marts.core.run.inspection import survey

    graph, selected, reliance = session.relied(settings)
    if not dry_run:
        prepare(settings["target"])
    wanted = Wanted(source_checks=not no_source_checks, accept_shrink=accept_shrink)
    with session.connected(graph, settings, read_only=dry_run) as backend:
        as_of = session.as_of(settings["as_of"], backend.data_as_of)
        facts = survey(graph, selected, backend, also=reliance.columns_of_sources(selected))
        run_id = session.run_id()
        plan = plan_changes(
            graph,
            selected,
            Present(graph, facts, as_of, backend.text, checks_sources=wanted.source_checks),
            run_id=run_id,
            force=force,
            source_checks=partial(source_checks, graph, reliance, facts, wanted),
            adopt=adopt,
            drop_orphans=drop_orphans,
        )
        findings = (*findings_of(graph.project, plan), *findings_of_views(graph.project, plan))
        if dry_run:
            for finding in findings:
                terminal.say(terminal.console(to_stderr=True), ("warn", str(finding)))
            if as_json:
                terminal.print_json(plan_document(plan, findings))
            else:
                terminal.print_text("\n".join(plan_lines(plan)))
            return DONE
        carried_out = partial(session.carry_out, graph, plan, backend, settings, stop=interrupted)
        return carried_out(run_id=run_id, findings=findings, as_json=as_json)


@marts.command()
@run_options
@option("--sources", is_flag=True, help="Check the sources instead of the marts.")
@option(
    "--invariants",
    is_flag=True,
    help="Check, too, how each mart would answer changes to its sources.",
)
@json_option
def test(sources: bool, invariants: bool, as_json: bool, **settings: Any) -> int:
    """Check the marts as they are published, or the sources."""
    from marts.core.plan.planner import plan_checks
    from marts.core.query.invariant_checks import with_invariants
    from marts.core.run.artifacts import prepare
    from marts.core.run.inspection import survey

    graph, selected = session.selected(settings)
    if not settings["select"]:
        # What is published; a temporary mart is built and checked where it is named.
        selected = tuple(n for n in selected if not graph.project.marts[n].is_temporary)
    if invariants:
        graph = with_invariants(graph)
    if sources:
        selected = ()
    prepare(settings["target"])
    with session.connected(graph, settings, read_only=True) as backend:
        as_of = session.as_of(
            settings["as_of"],
            lambda: (
                session.published_as_of(backend, graph.project.package, selected)
                or backend.data_as_of()
            ),
        )
        facts = survey(graph, selected, backend, source_checks=sources)
        plan = plan_checks(graph, selected, facts, as_of, source_checks=sources)
        carried_out = partial(session.carry_out, graph, plan, backend, settings, stop=interrupted)
        return carried_out(run_id=session.run_id(), as_json=as_json)


@marts.command()
@selection_options
@json_option
def ls(as_json: bool, **settings: Any) -> None:
    """List marts: their kind, grain, tags and checks."""
    from marts.core.authoring.tables import checks_of
    from marts.core.catalog.manifest import describe_mart
    from marts.core.console import terminal

    graph, selected = session.selected(settings)
    marts = [graph.project.marts[name] for name in selected]
    if as_json:
        terminal.print_json([describe_mart(mart) for mart in marts])
        return
    rows = [
        [
            mart.name,
            mart.materialized,
            ", ".join(mart.grain),
            ", ".join(mart.tags),
            str(len(checks_of(mart))),
            mart.comment.partition("\n")[0],
        ]
        for mart in marts
    ]
    terminal.print_table(["mart", "kind", "grain", "tags", "checks", "what it is"], rows)


@marts.command("compile")
@selection_options
@fixtures_option
@database_option
@schema_option
@source_namespace_options
@as_of_option
@option(
    "--dialect",
    "backend",
    type=click.Choice(["duckdb", "snowflake"]),
    default="duckdb",
    show_default=True,
    help="The engine to compile for.",
)
@option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write <mart>.sql files instead of printing.",
)
@option("--strict", is_flag=True, help="Exit with 1 where engines would compute differently.")
def compile_(output: Path | None, strict: bool, **settings: Any) -> int:
    """Print the SQL of each mart, and where engines would compute differently.

    Needs no connection.
    """
    from backends.factory import offline
    from marts.core.console import terminal
    from marts.core.plan.changes import compiled
    from marts.core.plan.findings import findings_of
    from marts.core.plan.planner import plan_run
    from marts.core.plan.state import declared_facts
    from marts.core.run.artifacts import write_sql

    graph, selected = session.selected(settings)
    engine = offline(session.engine_settings(settings), sources=session.contracts_of(graph))
    facts = declared_facts(graph.project, sources=engine.sources)
    as_of = session.as_of(settings["as_of"], lambda: engine.data_as_of)
    plan = plan_run(graph, selected, facts, as_of)
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
    return FAILED if strict and findings else DONE


@marts.command()
@click.argument("mart", shell_complete=complete_marts)
@package_option
@engine_options
@as_of_option
@option("--where", metavar="EXPR", help='Only rows for which this holds: "age > 40".')
@option("--columns", metavar="NAMES", help="Columns, separated by commas.  [default: all]")
@option("--order-by", metavar="NAMES", help='Columns, each with asc or desc: "age desc, city".')
@option("--limit", type=click.IntRange(0, 1_000_000_000), default=20, show_default=True)
@option(
    "--safe",
    is_flag=True,
    help="CSV: an apostrophe before text that a spreadsheet program would take for a formula.",
)
@option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
)
def show(
    mart: str,
    where: str | None,
    columns: str | None,
    order_by: str | None,
    limit: int,
    safe: bool,
    form: str,
    **settings: Any,
) -> None:
    """Print rows of a published mart."""
    from marts.core.console import terminal
    from marts.core.errors import UsageError, did_you_mean
    from marts.core.query.lookup import lookup

    graph = session.graph_of(settings["package"])
    known = graph.project.marts
    if mart not in known:
        raise UsageError(f"there is no mart {mart}", hint=did_you_mean(mart, known))
    query = lookup(
        known[mart],
        where=where,
        columns=session.words(columns),
        order_by=session.words(order_by),
        limit=limit,
    )
    with session.connected(graph, settings, read_only=True) as backend:
        if known[mart].is_temporary:
            as_of = session.as_of(settings["as_of"], backend.data_as_of)
            with session.built(graph, known[mart], backend, as_of):
                rows = backend.fetch(query, about=mart)
        elif mart in backend.describe_published():
            rows = backend.fetch(query, about=mart)
        else:
            raise UsageError(
                f"{mart} is not published: {backend.where}", hint="publish it: marts run"
            )
    terminal.print_rows(query.named_selects, rows, form, safe=safe)


@marts.command()
@click.argument("mart", nargs=-1, metavar="[MART]...", shell_complete=complete_selectors)
@package_option
@corpus_option
@as_of_option
@option(
    "--allow",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A list of mutants that no data can tell from the original."
    f"  [default: {ALLOWED}, where there is one]",
)
@json_option
def mutate(
    mart: tuple[str, ...], fixtures: Path | None, allow: Path | None, as_json: bool, **settings: Any
) -> int:
    """Plant defects in marts, and report those that nothing would notice.

    Each defect is tried on a small corpus of data: a test that compares the mart's rows on it, or a
    warning of `marts compile`, would notice those that are killed. Names marts as --select does.
    """
    from marts.core.console import mutation_terminal as mutants
    from marts.core.console import terminal
    from marts.core.console.mutation_messages import judgement_document, judgement_line
    from marts.core.project.selection import select
    from marts.core.proof.equivalent_mutants import judge, strangers
    from marts.core.proof.mutation import try_mutants

    graph = session.graph_of(settings["package"])
    selected = select(graph, mart)
    entries = session.equivalents(allow, default=ALLOWED)
    unknown = () if mart else strangers(entries, graph.project.marts)
    judgements = []
    console = terminal.console(to_stderr=as_json)
    with (
        session.corpus(graph, fixtures) as corpus,
        session.in_memory(graph, settings, corpus) as backend,
    ):
        as_of = session.as_of(settings["as_of"], backend.data_as_of)
        console.print(f"as of {as_of.day} · {corpus}")
        with mutants.trying(console, stop=interrupted) as watch:
            for name in selected:
                report = try_mutants(graph, graph.project.marts[name], backend, as_of, watch=watch)
                judgements.append(judge(report, entries))
                terminal.say(console, judgement_line(judgements[-1]))
    mutants.print_judgements(console, judgements, unknown, allowed_in=str(allow or ALLOWED))
    if as_json:
        terminal.print_json(judgement_document(judgements, unknown))
    return FAILED if unknown or any(each.has_failed for each in judgements) else DONE


@marts.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@size_options
def generate(directory: Path, end_date: datetime.datetime, **size: int) -> None:
    """Write a star schema of made-up customers; same arguments, same rows."""
    from rich.progress import Progress

    from fixtures.generate import Portfolio
    from fixtures.generate import generate as write
    from marts.core.console.terminal import console as open_console

    portfolio = Portfolio(end_date=end_date.date(), **size)
    console = open_console(to_stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("transactions", total=portfolio.transactions)
        rows = write(directory, portfolio, progress=lambda written: progress.advance(task, written))
    for table, count in rows.items():
        click.echo(f"{table}  {count:,} rows")


@marts.command()
@options(*account_options)
@option("--database", metavar="NAME", help="The database.  [default: the connection's]")
@option("--schema", default="gold", show_default=True, help="The schema to load into.")
@fixtures_option
@option("--overwrite", is_flag=True, help="Replace tables that exist.")
def load(overwrite: bool, **settings: Any) -> None:
    """Upload Parquet files as the star schema, to try the marts on an empty account."""
    from backends.factory import snowflake
    from backends.parquet import files_of, find_sources
    from backends.snowflake_load import load as upload

    found = find_sources(settings["fixtures"])
    backend = snowflake(session.engine_settings(settings | {"backend": "snowflake"}), sources={})
    try:
        upload(
            backend,
            {name: [Path(file.path) for file in files_of(path)] for name, path in found.items()},
            run_id=session.run_id(),
            overwrite=overwrite,
            loaded=lambda table, rows: click.echo(f"{table}  {rows:,} rows"),
        )
    finally:
        backend.close()


if __name__ == "__main__":
    main()
