"""Make the catalogue of a project: a folder with a static site."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from marts.core.analysis.column_lineage import project_lineage
from marts.core.analysis.lineage import Name
from marts.core.analysis.reliance_checks import derived_checks
from marts.core.authoring.expressions import FixedAsOf
from marts.core.catalog.distributions import key_columns
from marts.core.catalog.facts import Facts
from marts.core.catalog.gathering import Declared, gather
from marts.core.catalog.pages import Site
from marts.core.catalog.site import write_site
from marts.core.errors import MartsError
from marts.core.operations import wiring
from marts.core.operations.catalog_facts import Reader
from marts.core.operations.catalog_proofs import proven
from marts.core.operations.wiring import Linked
from marts.core.plan.queries import Queries, compiled_examples
from marts.core.plan.state import declared_state
from marts.core.project.graph import Graph
from marts.core.project.settings import BACKENDS, DUCKDB, Settings, with_given
from marts.core.run.folders import Ours, refuse_others, replaced

OFFLINE = "nothing was read from an engine: these pages show what is declared"
FOLDER, START = "docs", "index.html"
MARKER = ".marts-docs"
"""The file by which a folder with a catalogue is known."""
OURS = Ours(
    MARKER,
    default=(START, "data.js", "site.css", "site.js", "tables"),
    hint="pass --output with another folder",
)


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
) -> WrittenDocs:
    """Write the catalogue of the settings' project to a folder, by default `docs` in the target.

    What was written there before is replaced once all is written; a folder that has anything else
    is refused. The rest is that of `site_of`. Raises EngineError if the folder cannot be
    written.
    """
    folder = folder or settings.target / FOLDER
    refuse_others(folder.resolve(), OURS, shown=folder)
    site = site_of(settings, offline=offline, project=project)
    with replaced(folder, OURS) as new:
        write_site(site, new)
    return WrittenDocs(site, folder)


def site_of(settings: Settings, *, offline: bool = False, project: Linked | None = None) -> Site:
    """Return the catalogue of the settings' project, with what the engine knows of its marts.

    With `offline`, or where no local database exists yet, it has what is declared; `notes` say so.
    The project is loaded unless it is given. Raises UsageError and DefinitionError for a project
    that cannot be loaded, and the error of an engine that cannot be read.
    """
    graph, reliance = project or wiring.linked(settings)
    keys = key_columns(graph, reliance.lineage)
    facts = _without_engine(settings, graph) if offline else _facts(settings, graph, keys)
    as_of = wiring.as_of(settings, lambda: facts.as_of)
    declared = Declared(
        graph=graph,
        lineage=project_lineage(graph, reliance.queries),
        sql=sql_of(graph, as_of),
        examples=examples_of(settings, graph, as_of),
        derived=derived_checks(graph, reliance),
    )
    return gather(declared, facts, version=wiring.version_of_marts())


def _facts(settings: Settings, graph: Graph, keys: Collection[Name]) -> Facts:
    try:
        with wiring.connected(graph, settings, read_only=True) as backend:
            return Reader(
                graph, backend, keys, lambda: proven(settings, graph, backend.proofs)
            ).read()
    except MartsError as error:
        if _may_have_marts(settings):
            also = "or write what is declared alone: marts docs --offline"
            error.hint = f"{error.hint}\n{also}" if error.hint else also.removeprefix("or ")
            raise
        # Facts may name folders, which do not concern readers.
        return _without_engine(settings, graph, error.summary)


def _may_have_marts(settings: Settings) -> bool:
    """Return whether marts may be published: not in a local database that does not exist yet."""
    from backends.factory import database_of

    if settings.backend != DUCKDB:
        return True
    file = database_of(settings)
    return file is not None and file.exists()


def _without_engine(settings: Settings, graph: Graph, *why: str) -> Facts:
    """Return what is known without an engine: the proofs in the file that `marts prove` writes."""
    try:
        proofs = proven(settings, graph, None)
    except MartsError as error:
        proofs, why = {}, (*why, f"the proofs could not be read: {error.summary}")
    return Facts(notes=(OFFLINE, *why), proofs=proofs)


def sql_of(graph: Graph, as_of: FixedAsOf) -> Mapping[str, Mapping[str, str]]:
    """Return the SQL of each mart in the dialects of all engines, over bare names."""
    from backends.factory import dialects

    project, found = graph.project, dict[str, dict[str, str]]()
    state = declared_state(project, sources=project.sources)
    for dialect in dialects():
        queries = Queries(project, state, as_of, dialect.compile)
        for name in graph.order:
            if compiled := queries.compiled(project.marts[name]):
                text = compiled.tree.sql(compiled.dialect, pretty=True)
                found.setdefault(name, {})[dialect.name] = text
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
