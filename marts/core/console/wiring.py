"""What the commands share: the project, the engine and the date that their options name."""

from __future__ import annotations

import datetime
import os
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from marts.core.console import exit_codes
from marts.core.console.completion import OURS
from marts.core.console.streams import print_error

# Everything heavier is imported where it is needed: `marts --help` loads click alone.
if TYPE_CHECKING:
    from backends.factory import Settings
    from marts.core.analysis.reliance import Reliance
    from marts.core.analysis.rules import Finding
    from marts.core.authoring.expressions import FixedAsOf
    from marts.core.authoring.tables import Mart
    from marts.core.plan.steps import Plan
    from marts.core.project.graph import Graph
    from marts.core.proof.equivalent_mutants import Equivalent
    from marts.core.run.backend import Backend, Contract

SETTINGS = Path("pyproject.toml")
"""Where the current folder's settings are: in its tables [tool.marts…]."""

FIRST_YEAR, LAST_YEAR = 1900, 2200


def _loaded(package: str) -> tuple[Graph, Reliance]:
    from marts.core.analysis.lineage import documented
    from marts.core.analysis.reliance_errors import relied_on
    from marts.core.project.graph import link
    from marts.core.project.loading import load

    if package != "marts":
        _import_from_here(package)
    graph = link(load(package))
    reliance = relied_on(graph)
    return documented(graph, reliance.lineage), reliance


def graph_of(package: str) -> Graph:
    """Load a package's declarations, join them by name, and refuse what cannot be relied on."""
    graph, _ = _loaded(package)
    return graph


def relied(settings: dict[str, Any]) -> tuple[Graph, tuple[str, ...], Reliance]:
    """Return the project that the settings name, the marts they select, what these rely on.

    Warnings that the settings acknowledge are acknowledged in it.
    """
    from marts.core.analysis.acknowledgements import (
        acknowledged_in,
        refuse_wrong_acknowledgements,
        with_acknowledged,
    )
    from marts.core.project.selection import select

    graph, reliance = _loaded(settings["package"])
    location = str(SETTINGS)
    graph = with_acknowledged(graph, acknowledged_in(_acknowledged(), location), location)
    refuse_wrong_acknowledgements(graph, reliance)
    return graph, select(graph, settings["select"], exclude=settings["exclude"]), reliance


def _acknowledged() -> list[dict[str, object]]:
    """Return the acknowledgements in the current folder's settings."""
    from marts.core.errors import UsageError

    try:
        settings = tomllib.loads(SETTINGS.read_text("utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the settings in {SETTINGS}", str(error)) from error
    found = settings.get("tool", {}).get("marts", {}).get("acknowledge", [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise UsageError(
            f"tool.marts.acknowledge in {SETTINGS} is not a list of tables",
            hint="write each as [[tool.marts.acknowledge]]",
        )
    return found


class _Here:
    """Finds one top-level package in the current folder, before any other of its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = str(Path.cwd())

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find that package, if it is one; a folder of data may have the name of another."""
        found = PathFinder.find_spec(name, [self.folder]) if name == self.name else None
        return found if found and found.origin else None


def _import_from_here(package: str) -> None:
    """Let somebody else's marts be imported from where they call.

    What else is there comes last: their `backends` or `fixtures` must not stand in for ours, nor
    their `queue.py` for Python's.
    """
    top = package.partition(".")[0]
    sys.path.append(str(Path.cwd()))
    if top not in OURS:
        sys.meta_path.insert(0, _Here(top))


def selected(settings: dict[str, Any]) -> tuple[Graph, tuple[str, ...]]:
    """Return the project that the settings name, and the marts they select."""
    graph, names, _ = relied(settings)
    return graph, names


def contracts_of(graph: Graph) -> dict[str, Contract]:
    """Return what engines are told of the sources: how their columns are to be read."""
    from marts.core.authoring.columns import zones_of
    from marts.core.query.contract import schema_of
    from marts.core.run.backend import Contract

    return {
        name: Contract(schema_of(source.columns), zones_of(source.columns), source.optional)
        for name, source in graph.project.sources.items()
    }


@contextmanager
def connected(graph: Graph, settings: dict[str, Any], *, read_only: bool) -> Iterator[Backend]:
    """Connect to the engine that the settings name, and close it in the end."""
    from backends.factory import connect

    backend = connect(engine_settings(settings), sources=contracts_of(graph), read_only=read_only)
    try:
        yield backend
    finally:
        backend.close()


def in_memory(
    graph: Graph, settings: dict[str, Any], fixtures: Path
) -> AbstractContextManager[Backend]:
    """Open DuckDB on a directory of data, with nothing but memory to write to."""
    chosen = {"backend": "duckdb", "database": ":memory:", "fixtures": fixtures, "threads": 1}
    return connected(graph, settings | chosen, read_only=False)


@contextmanager
def corpus(graph: Graph, given: Path | None) -> Iterator[Path]:
    """Give the directory of the data that mutants are tried on, by default made for our marts."""
    from marts.core.errors import UsageError

    if given:
        yield given
        return
    if graph.project.package != "marts":
        raise UsageError(
            f"there is no data for the mutants of {graph.project.package}",
            hint="pass --fixtures DIR, a small data set that meets the edges of its marts",
        )
    from fixtures.corpus import AS_OF, write_corpus
    from marts.core.analysis.thresholds import edges_of

    with TemporaryDirectory() as folder:
        write_corpus(Path(folder), edges_of(graph, AS_OF), AS_OF)
        yield Path(folder)


@contextmanager
def built(graph: Graph, mart: Mart, backend: Backend, as_of: FixedAsOf) -> Iterator[None]:
    """Build a temporary mart, and those that it reads, for a while."""
    from marts.core.plan.changes import Present, plan_changes
    from marts.core.plan.steps import Build
    from marts.core.run.inspection import survey

    name = run_id()
    facts = survey(graph, [mart.name], backend)
    present = Present(graph, facts, as_of, backend.text, checks_sources=False)
    plan = plan_changes(graph, [mart.name], present, run_id=name)
    steps = [step for step in plan.steps if isinstance(step, Build)]
    try:
        backend.begin(name, [step.mart.name for step in steps])
        for step in steps:
            backend.build(
                step.mart.name, step.query, kind="temporary", comment="", column_comments={}
            )
        yield
    finally:
        backend.discard()


def run_id() -> str:
    """Return a name for a run that no other has: when it began, and four random bytes."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S}-{os.urandom(4).hex()}".upper()


def engine_settings(settings: dict[str, Any]) -> Settings:
    """Return what the options say of engines."""
    from backends.factory import Settings

    known = {field.name for field in fields(Settings)}
    given = {name: value for name, value in settings.items() if name in known}
    return Settings(version=version("marts"), **given)


def as_of(
    given: datetime.datetime | None, default: Callable[[], datetime.date | None]
) -> FixedAsOf:
    """Return the run's date: the given one, else the default, else today.

    Raises BadParameter for a year that no data is of.
    """
    from marts.core.authoring.expressions import FixedAsOf

    today = datetime.datetime.now(datetime.UTC).date()
    day = given.date() if given else default() or today
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise click.BadParameter(f"{day} is not between the years {FIRST_YEAR} and {LAST_YEAR}")
    return FixedAsOf(day)


def published_as_of(
    backend: Backend, package: str, selected: tuple[str, ...]
) -> datetime.date | None:
    """Return the date by which the selected marts were published, None where none is."""
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


def equivalents(given: Path | None, *, default: Path) -> tuple[Equivalent, ...]:
    """Read the list of mutants that are allowed: the given file, else the default if there is one.

    Raises UsageError where it cannot be read.
    """
    from marts.core.errors import UsageError
    from marts.core.proof.equivalent_mutants import read_equivalents

    file = given or default
    if given is None and not file.exists():
        return ()
    try:
        return read_equivalents(file.read_text("utf-8"), location=str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}", str(error)) from error


def words(text: str | None) -> list[str]:
    """Return the words between commas."""
    return [word.strip() for word in text.split(",") if word.strip()] if text else []


def carry_out(
    graph: Graph,
    plan: Plan,
    backend: Backend,
    settings: dict[str, Any],
    *,
    run_id: str,
    stop: Event,
    findings: Sequence[Finding] = (),
    as_json: bool,
) -> int:
    """Carry a plan out, write the artifacts, print what happened; return the exit code."""
    from marts.core.catalog.manifest import manifest
    from marts.core.console import terminal
    from marts.core.console.messages import outcome_lines, reason_lines
    from marts.core.errors import EngineError
    from marts.core.run import artifacts
    from marts.core.run.runner import run

    target = settings["target"]
    console = terminal.console(to_stderr=as_json)
    versions = {"marts": version("marts"), **backend.versions()}
    console.print(f"as of {plan.as_of.day} · {backend.name} · {backend.where}")
    for line in (*reason_lines(plan), *(("warn", str(each)) for each in findings)):
        terminal.say(console, line)
    with terminal.progress(console, plan, stop=stop) as observer:
        report = run(plan, backend, run_id=run_id, observer=observer)
    results = artifacts.run_results(
        report,
        context={
            "as_of": str(plan.as_of.day),
            "backend": backend.name,
            "versions": versions,
            "warnings": [artifacts.describe_finding(each) for each in findings],
        },
        target=target,
    )
    troubles = artifacts.leave(target, report, results, manifest(graph.project))
    if report.error:
        print_error(report.error)
    for line in outcome_lines(report, target):
        terminal.say(console, line)
    if as_json:
        try:
            terminal.print_json(results)
        except EngineError as error:
            troubles.append(error)
    return exit_codes.of_run(report.status, troubles)
