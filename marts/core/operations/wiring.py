"""What the operations share: the project, the engine and the as-of date of the settings."""

from __future__ import annotations

import datetime
import os
import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from marts.core import DISTRIBUTION
from marts.core.errors import EngineError, MartsError, UsageError, did_you_mean
from marts.core.project.settings import DUCKDB, FILE, Settings, with_given

# Heavier modules are imported where they are needed: `marts --help` loads only click.
if TYPE_CHECKING:
    from marts.core.analysis.reliance import Reliance
    from marts.core.authoring.expressions import FixedAsOf
    from marts.core.project.graph import Graph
    from marts.core.run.backend import Backend, Contract
    from marts.core.run.recording import Recorder

BUNDLED_PACKAGE = "marts"
"""The package that the bundled data is for."""

FIRST_YEAR, LAST_YEAR = 1900, 2200

_of_file: defaultdict[Path, threading.RLock] = defaultdict(threading.RLock)
"""A lock for each database file: DuckDB's own keeps out other processes, but no thread of ours."""


class Linked(NamedTuple):
    """A package's declarations, linked, and what its marts rely on."""

    graph: Graph
    reliance: Reliance


def linked(settings: Settings) -> Linked:
    """Load and link a package's declarations, and derive what its marts rely on.

    Raises UsageError if the settings name no package, DefinitionError for wrong declarations.
    """
    from marts.core.analysis.comments import documented
    from marts.core.analysis.personal import marked
    from marts.core.analysis.reliance_errors import relied_on
    from marts.core.project.graph import link
    from marts.core.project.loading import load
    from marts.core.project.packages import import_from

    package = package_of(settings)
    import_from(settings.folder_of("package"), package)
    graph = link(load(package))
    _refuse_unknown_sources(graph, settings)
    reliance = relied_on(graph)
    graph = marked(documented(graph, reliance.lineage), reliance.edges)
    _refuse_unknown_kinds(graph, settings)
    _refuse_unprotected(graph, settings, reliance)
    return Linked(graph, reliance)


def package_of(settings: Settings) -> str:
    """Return the package that the settings name; raise UsageError if they name none."""
    if settings.package is None:
        raise UsageError(
            "no package of marts is named",
            f"there is no --package, no MARTS_PACKAGE, and no `package` in [tool.marts] of a {FILE}"
            " in this folder or above it",
            hint="start a project: marts init; or pass --package NAME, or name it in a"
            f" {FILE}:\n"
            '  [tool.marts]\n  package = "NAME"\n`marts help start` has the first steps',
        )
    return settings.package


def _refuse_unknown_sources(graph: Graph, settings: Settings) -> None:
    known = graph.project.sources
    for name in settings.sources:
        if name not in known:
            raise UsageError(
                f"tool.marts.sources in {settings.file} has {name},"
                f" which is not a source of {graph.project.package}",
                hint=did_you_mean(name, known) or f"the sources are: {', '.join(known)}",
            )


def _refuse_unknown_kinds(graph: Graph, settings: Settings) -> None:
    from marts.core.analysis.personal import declared

    known = sorted({*declared(graph.project).values()})
    for kind in settings.personal:
        if kind not in known:
            raise UsageError(
                f"tool.marts.personal in {settings.file} has {kind}, and no column of"
                f' {graph.project.package} is personal="{kind}"',
                hint=did_you_mean(kind, known) or f"the kinds are: {', '.join(known) or 'none'}",
            )


def _refuse_unprotected(graph: Graph, settings: Settings, reliance: Reliance) -> None:
    from marts.core.analysis.personal import declared, unprotected

    if not settings.personal:
        return
    found = unprotected(graph, settings.personal, reliance.edges)
    own = declared(graph.project)
    if not found:
        return
    lines = list[str]()
    for at, paths in found.items():
        kinds = ", ".join(paths)
        lines.append(f'column {".".join(at)} is personal="{own[at]}", and shows values of: {kinds}')
        lines += [f"  {path}" for path in paths.values()]
    edits = "\n".join(
        f'  {kind} = {{ masking_policy = "DATABASE.SCHEMA.POLICY" }}'
        for kind in sorted({own[at] for at in found})
    )
    raise UsageError(
        f"tool.marts.personal in {settings.file} does not protect all columns that show what it"
        " protects elsewhere",
        *lines,
        hint="add what protects values of such a kind, a masking policy or a tag, to the settings:"
        f"\n  [tool.marts.personal]\n{edits}",
    )


def selected(
    settings: Settings, project: Linked | None = None
) -> tuple[Graph, tuple[str, ...], Reliance]:
    """Return the project of the settings, the selected marts, and what marts rely on.

    The project includes the acknowledgements of the settings. It is loaded unless it is given.
    """
    from marts.core.analysis.acknowledgements import (
        refuse_wrong_acknowledgements,
        with_acknowledged,
    )
    from marts.core.project.selection import select

    graph, reliance = project or linked(settings)
    graph = with_acknowledged(graph, settings.acknowledge, str(settings.file))
    refuse_wrong_acknowledgements(
        graph, reliance, entries=settings.acknowledge, location=str(settings.file)
    )
    return graph, select(graph, settings.select, exclude=settings.exclude), reliance


def contracts_of(graph: Graph) -> dict[str, Contract]:
    """Return the contracts of the sources, which tell engines how to read their columns."""
    from marts.core.authoring.columns import names_in_source, personal_in, zones_of
    from marts.core.query.contract import schema_of
    from marts.core.run.backend import Contract

    return {
        name: Contract(
            schema_of(source.columns),
            zones_of(source.columns),
            source.optional,
            names_in_source(source.columns),
            source.source_name,
            frozenset(personal_in(source.columns)),
        )
        for name, source in graph.project.sources.items()
    }


@contextmanager
def connected(graph: Graph, settings: Settings, *, read_only: bool) -> Iterator[Backend]:
    """Connect to the engine that the settings name, and close the connection at the end.

    A process has one connection to a database file at a time; other threads wait for it.
    """
    refuse_no_data(graph, settings)
    with _opened(
        settings, contracts_of(graph), data=data_of(settings), read_only=read_only
    ) as backend:
        yield backend


@contextmanager
def connected_to_marts(settings: Settings) -> Iterator[Backend]:
    """Connect to read what is published and recorded, without the project and its sources."""
    alone = replace(settings, sources={}, elsewhere=None)
    with _opened(alone, {}, data=None, read_only=True) as backend:
        yield backend


@contextmanager
def _opened(
    settings: Settings, sources: Mapping[str, Contract], *, data: Path | None, read_only: bool
) -> Iterator[Backend]:
    from backends.factory import connect

    with ExitStack() as locks:
        files = {each.database_file for each in (settings, settings.elsewhere) if each}
        # Sorted, so that no two threads wait for each other.
        for file in sorted(file.resolve() for file in files if file):
            locks.enter_context(_of_file[file])
        backend = connect(
            settings,
            data=data,
            sources=sources,
            version=version_of_marts(),
            read_only=read_only,
        )
        try:
            yield backend
        finally:
            backend.close()


@contextmanager
def recorded(
    graph: Graph,
    settings: Settings,
    backend: Backend,
    *,
    dry_run: bool,
    warn: Callable[[str], None],
) -> Iterator[Recorder]:
    """Begin a run, and record it in the table of runs, however it ends; not if it is a dry run.

    `warn` is told if the row cannot be written.
    """
    from marts.core.plan.runs import RUNS_TABLE, RecordedRun
    from marts.core.run.recording import Recorder

    excluded = [f"--exclude {','.join(settings.exclude)}"] if settings.exclude else []
    run = RecordedRun(
        run_id=run_id(),
        package=graph.project.package,
        status="running",
        started_at=datetime.datetime.now(datetime.UTC).replace(tzinfo=None),
        selection=" ".join([*settings.select, *excluded]),
        host_name=socket.gethostname(),
        backend=backend.name,
        marts_version=version_of_marts(),
        environment=settings.env,
    )
    recorder = Recorder(backend, run.run_id, None if dry_run else run)
    try:
        yield recorder
    except BaseException as error:
        recorder.broke_off(*_ended_by(error))
        raise
    finally:
        if recorder.failure:
            warn(f"the row of this run in {RUNS_TABLE} was not written: {recorder.failure}")


def _ended_by(error: BaseException) -> tuple[str, str | None]:
    """Return the status of a run that raised an error, and the error in a line without values."""
    match error:
        case KeyboardInterrupt():
            return "interrupted", None
        case EngineError():
            return "error", error.summary
        case MartsError():
            return "refused", error.summary
        case _:
            # The message of a bug may quote a value.
            return "error", type(error).__name__


def toolchain_of(settings: Settings) -> str | None:
    """Return a digest of the code that compiles for the engine; None if it is not known.

    Snowflake's own compiler is loaded with its backend, so that it is not known what changed it.
    """
    from backends.toolchain import toolchain

    return toolchain() if settings.backend == DUCKDB else None


def in_memory(
    graph: Graph, settings: Settings, data: Path | None
) -> AbstractContextManager[Backend]:
    """Open DuckDB on some data, with an in-memory database.

    If these are the settings' own data, sources may be elsewhere, as the settings say.
    """
    given = {} if data == settings.data else {"data": data}
    in_memory = with_given(settings, backend=DUCKDB, database=":memory:", threads=1, **given)
    return connected(graph, replace(in_memory, elsewhere=None), read_only=False)


def refuse_unknown(mart: str, graph: Graph) -> None:
    """Raise UsageError if a project has no mart of a name."""
    known = graph.project.marts
    if mart not in known:
        hint = did_you_mean(mart, known) or "`marts ls` lists the marts"
        raise UsageError(f"there is no mart {mart}", hint=hint)


def data_of(settings: Settings) -> Path | None:
    """Return the data that the settings name, None if they name none.

    The bundled data is the default of its own package, unless settings say where its sources are.
    """
    from fixtures import FOLDER as BUNDLED

    is_bundled = settings.package in (None, BUNDLED_PACKAGE) and not settings.sources
    return settings.data or (BUNDLED if is_bundled else None)


def refuse_no_data(graph: Graph, settings: Settings) -> None:
    """Raise UsageError if a source that must exist has no location, and no data are named."""
    if settings.backend != DUCKDB or data_of(settings) is not None:
        return
    sources = graph.project.sources.values()
    missing = [s.name for s in sources if not s.optional and s.name not in settings.sources]
    if missing or not settings.sources:
        raise UsageError(
            f"no data are named for {graph.project.package}",
            f"sources without a location: {', '.join(missing) or 'all'}",
            hint="pass --data DIR, with a file or folder for each source, or write it into"
            f" {settings.file}:\n"
            '  [tool.marts]\n  data = "DIR"\n'
            "or where each source is:\n"
            f'  [tool.marts.sources]\n  {(missing or ["orders"])[0]} = "raw/orders.csv"',
        )


def version_of_marts() -> str:
    """Return the version of marts that is installed."""
    return version(DISTRIBUTION)


def run_id() -> str:
    """Return a unique name for a run: its start, and four random bytes."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S}-{os.urandom(4).hex()}".upper()


def as_of(settings: Settings, default: Callable[[], datetime.date | None]) -> FixedAsOf:
    """Return the as-of date of a run: that of the settings, else the default, else today (UTC).

    Raises UsageError for a year out of range.
    """
    from marts.core.authoring.expressions import FixedAsOf

    day = settings.as_of or default() or datetime.datetime.now(datetime.UTC).date()
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise UsageError(f"{day} is not between the years {FIRST_YEAR} and {LAST_YEAR}")
    return FixedAsOf(day)
