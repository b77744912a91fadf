"""Make the catalogue of a project: a folder with a static site."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from marts.core.analysis.column_lineage import project_lineage
from marts.core.analysis.lineage import Name
from marts.core.analysis.reliance_checks import derived_checks
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.signature import naming
from marts.core.catalog.distributions import key_columns
from marts.core.catalog.facts import Facts
from marts.core.catalog.gathering import Declared, gather
from marts.core.catalog.pages import Site
from marts.core.catalog.site import write_site
from marts.core.errors import EngineError, MartsError, UsageError
from marts.core.operations import wiring
from marts.core.operations.catalog_facts import NONE_PUBLISHED, Reader
from marts.core.operations.catalog_proofs import proven
from marts.core.operations.wiring import Linked
from marts.core.plan.fingerprint import CurrentInputs
from marts.core.plan.queries import Queries, compiled_examples
from marts.core.plan.state import declared_state
from marts.core.project.graph import Graph
from marts.core.project.settings import BACKENDS, DUCKDB, Settings, with_given
from marts.core.run.folders import Ours, refuse_others, replaced

OFFLINE = "nothing was read from an engine: these pages show what is declared"
FOLDER, START = "docs", "index.html"
OFFLINE_HINT = "write what is declared alone: marts docs --offline"
OR_OFFLINE = f"or {OFFLINE_HINT}"
MARKER = ".marts-docs"
"""The file by which a folder with a catalogue is known."""
OURS = Ours(
    MARKER,
    default=(START, "data.js", "site.css", "site.js", "tables"),
    hint="pass --output with another folder",
)

Tell = Callable[[str], None]
"""Is told what is being done, for a terminal to show."""
Inputs = dict[tuple[datetime.date, frozenset[str]], CurrentInputs]
"""What marts would be made from, as of a date and without some sources."""


def silent(_: str) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class WrittenDocs:
    """A catalogue that was written, and the folder that has it."""

    site: Site
    folder: Path

    @property
    def start(self) -> Path:
        """The file to open."""
        return self.folder / START


def write_docs(
    settings: Settings,
    folder: Path | None = None,
    *,
    offline: bool = False,
    project: Linked | None = None,
    tell: Tell = silent,
) -> WrittenDocs:
    """Write the catalogue of the settings' project to a folder, by default `docs` in the target.

    What was written there before is replaced once all is written; a folder that has anything else
    is refused, and a site is not replaced where no mart is published, unless `offline` asks for
    that. `tell` is told what is being done. The rest is that of `site_of`. Raises EngineError if
    the folder cannot be written.
    """
    folder = folder or settings.target / FOLDER
    refuse_others(folder.resolve(), OURS, shown=folder)
    site = site_of(settings, offline=offline, project=project, tell=tell)
    if not offline and (folder / START).exists():
        _refuse_unpublished(site, folder)
    with replaced(folder, OURS) as new:
        write_site(site, new, tell)
    return WrittenDocs(site, folder)


def _refuse_unpublished(site: Site, folder: Path) -> None:
    marts = [table for table in site.tables if table.kind != "source"]
    if marts and not any(table.build for table in marts):
        where = f" in {site.engine}" if site.engine else ""
        raise EngineError(
            f"no mart of {site.project} is published{where}: the site in {folder} was not replaced",
            *(note for note in site.notes if note != NONE_PUBLISHED),
            hint=f"publish them: marts run; {OR_OFFLINE}",
        )


def site_of(
    settings: Settings,
    *,
    offline: bool = False,
    project: Linked | None = None,
    tell: Tell = silent,
) -> Site:
    """Return the catalogue of the settings' project, with what the engine knows of its marts.

    With `offline`, or before there is the default database, it has what is declared; `notes` say
    so. The project is loaded unless it is given. Raises UsageError and DefinitionError for a
    project that cannot be loaded, UsageError for a database file that is named and does not exist,
    and the error of an engine that cannot be read.
    """
    tell("loading the project")
    graph, reliance = project or wiring.linked(settings)
    keys = key_columns(graph, reliance.lineage)
    if offline:
        facts, inputs = _without_engine(settings, graph), Inputs()
    else:
        facts, inputs = _facts(settings, graph, keys, tell)
    as_of = wiring.as_of(settings, lambda: facts.as_of)
    tell("compiling the SQL of marts and example queries")
    current = inputs.get((as_of.day, frozenset()))
    declared = Declared(
        graph=graph,
        lineage=project_lineage(graph, reliance.queries),
        sql=sql_of(graph, as_of, current.queries if current else None),
        examples=examples_of(settings, graph, as_of),
        derived=derived_checks(graph, reliance),
    )
    tell("describing marts, columns and checks")
    return gather(declared, facts, version=wiring.version_of_marts())


def _facts(
    settings: Settings, graph: Graph, keys: Collection[Name], tell: Tell
) -> tuple[Facts, Inputs]:
    """Return what the engine knows, and what the marts would be made from now."""
    _refuse_missing(settings)
    try:
        tell("reading the state of the published marts")
        with wiring.connected(graph, settings, read_only=True) as backend:
            proofs = partial(proven, settings, graph, backend.proofs)
            reader = Reader(graph, backend, keys, proofs, tell)
            return reader.read(), reader.inputs
    except MartsError as error:
        if _may_have_marts(settings):
            error.hint = f"{error.hint}\n{OR_OFFLINE}" if error.hint else OFFLINE_HINT
            raise
        # Facts may name folders, which do not concern readers.
        return _without_engine(settings, graph, error.summary), Inputs()


def _refuse_missing(settings: Settings) -> None:
    """Raise UsageError if a database file is named that does not exist."""
    file = settings.database_file
    if settings.database is not None and file is not None and not file.exists():
        raise UsageError(
            f"there is no database {settings.database}",
            hint=f"pass the --database of a run, or publish to it first: marts run; {OR_OFFLINE}",
        )


def _may_have_marts(settings: Settings) -> bool:
    """Return whether marts may be published: not in a local database that does not exist yet."""
    if settings.backend != DUCKDB:
        return True
    file = settings.database_file
    return file is not None and file.exists()


def _without_engine(settings: Settings, graph: Graph, *why: str) -> Facts:
    """Return what is known without an engine: the proofs in the file that `marts prove` writes."""
    try:
        proofs = proven(settings, graph, None)
    except MartsError as error:
        proofs, why = {}, (*why, f"the proofs could not be read: {error.summary}")
    return Facts(notes=(OFFLINE, *why), proofs=proofs)


def sql_of(
    graph: Graph, as_of: FixedAsOf, queries: Queries | None = None
) -> Mapping[str, Mapping[str, str]]:
    """Return the SQL of each mart in the dialects of all engines, over bare names.

    `queries` are the marts' for that date, where some were made and compiled before.
    """
    from backends.factory import dialects

    project, found = graph.project, dict[str, dict[str, str]]()
    if queries is None:
        queries = Queries(project, declared_state(project, sources=project.sources), as_of)
    for name in graph.order:
        mart, found[name] = project.marts[name], {}
        known = queries.compiled(mart)
        for dialect in dialects():
            if known is None or known.dialect != dialect.name:
                with naming(f"mart {name}", mart.location):
                    compiled = dialect.compile(queries.of(mart))
            else:
                compiled = known
            found[name][dialect.name] = compiled.tree.sql(compiled.dialect, pretty=True)
    return found


def examples_of(
    settings: Settings, graph: Graph, as_of: FixedAsOf
) -> Mapping[str, Mapping[str, str]]:
    """Return the SQL of each example query for all engines, over the schema of the marts.

    Readers copy it, so it names the tables as they find them.
    """
    from backends.factory import offline_compiler

    found: dict[str, dict[str, str]] = {name: {} for name in graph.project.queries}
    for backend in BACKENDS if found else ():
        there = settings if backend == settings.backend else with_given(settings, backend=backend)
        engine = offline_compiler(
            there, data=wiring.data_of(there), sources=wiring.contracts_of(graph)
        )
        for name, text in compiled_examples(graph, as_of, engine.compile).items():
            found[name][backend] = text
    return found
