"""The sides of a comparison: where marts are published, and copies of their rows in files."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import ibis
import ibis.expr.datatypes as dt
import sqlglot.expressions as sge

from marts.core.authoring.columns import Column
from marts.core.authoring.expressions import FixedAsOf
from marts.core.errors import ChangedSourcesError, EngineError, UsageError
from marts.core.operations import wiring
from marts.core.operations.show import publication_named
from marts.core.plan.planner import plan_run
from marts.core.project.graph import Graph
from marts.core.project.settings import DUCKDB, Settings
from marts.core.query.alignment import Types, is_compared, meant
from marts.core.query.contract import schema_of
from marts.core.run import building
from marts.core.run.backend import Backend
from marts.core.run.inspection import inspect_engine
from marts.core.run.streaming import Counted, streamed
from marts.core.run.table_files import write_parquet

Watch = Callable[[str, int], None]
"""Is told which mart is read, and how many of its rows are read so far."""


@dataclass(frozen=True)
class Copy:
    """The rows of a mart in a file of Parquet, which has the columns that can be compared.

    Names are in lower case. `found` has the types in the engine, `types` those in the file.
    """

    file: Path
    found: Types
    types: Types
    rows: int
    as_of: datetime.date | None = None
    package: str | None = None
    """The package that is recorded to have published it."""


@dataclass(frozen=True)
class Shape:
    """What is known of a mart's rows: its contract and its key, if it is declared."""

    name: str
    columns: tuple[Column, ...] = ()
    grain: tuple[str, ...] = ()


def shape_of(graph: Graph, name: str) -> Shape:
    """Return the shape of a mart; one that a project does not declare is compared as it is."""
    mart = graph.project.marts.get(name)
    return Shape(name, mart.columns, mart.grain) if mart else Shape(name)


@dataclass(frozen=True)
class VersionOfCode:
    """Another version of the project's code: its functions are called `within` a context.

    `shown` rewrites a location within it for people to read.
    """

    graph: Graph
    within: Callable[[], AbstractContextManager[None]]
    shown: Callable[[str], str]


@dataclass(frozen=True)
class Copied:
    """One side: where its marts are in words, its engine, and the copies of those that exist.

    `sources` has the version of each source that the marts were built from, if they were built for
    this, None if it is not known.
    """

    where: str
    engine: str
    marts: Mapping[str, Copy]
    sources: Mapping[str, str | None] = field(default_factory=dict)
    changed: Callable[[], list[str]] = list
    """Returns a line for each source that has changed since."""
    place: tuple[str, str] | None = None
    """Where its marts are published, if they are: no other side is there."""
    code: VersionOfCode | None = None
    """The code that it was built with, if it is another version."""


@dataclass(frozen=True)
class Place:
    """Where copies are written, and who is told of it."""

    folder: Path
    watch: Watch


@contextmanager
def published(
    graph: Graph, settings: Settings, names: Iterable[str], place: Place, *, all_marts: bool
) -> Iterator[Copied]:
    """Copy marts as they are published; the connection can only read.

    With `all_marts`, also what this package has published and no longer declares.
    Raises EngineError if a mart is published again meanwhile.
    """
    with _connected_to_read(graph, settings) as backend:
        found = {name: state.types for name, state in backend.describe_published().items()}
        package, known = graph.project.package, graph.project.marts
        orphans = [
            row.name
            for row in backend.state()
            if all_marts and row.package == package and row.kind in ("table", "view")
            if row.name not in known
        ]
        marts = {
            name: _copied(shape_of(graph, name), found[name], backend, place)
            for name in dict.fromkeys((*names, *orphans))
            if name in found
        }
        where, at = _where(settings, backend), _place(settings, backend)
        copied = Copied(where, backend.name, marts, place=at)
    yield copied


def _connected_to_read(graph: Graph, settings: Settings) -> AbstractContextManager[Backend]:
    """Connect to what is published, with the sources only if it is known where they are.

    A view on DuckDB may read them; tables need none.
    """
    try:
        wiring.refuse_no_data(graph, settings)
    except UsageError:
        return wiring.connected_to_marts(settings)
    return wiring.connected(graph, settings, read_only=True)


def _copied(mart: Shape, types: Types, backend: Backend, place: Place) -> Copy:
    publication = publication_named(mart.name, backend)
    copy = _written(mart, types, backend, place)
    # It looks anew at what is published.
    backend.go_on()
    now = publication_named(mart.name, backend)
    if (publication and publication.run_id) != (now and now.run_id):
        raise EngineError(
            f"{mart.name} was published again while it was read", hint="compare again"
        )
    if publication is None:
        return copy
    return replace(copy, as_of=publication.as_of, package=publication.package)


@contextmanager
def built(
    graph: Graph,
    settings: Settings,
    names: Iterable[str],
    place: Place,
    *,
    title: str,
    code: VersionOfCode | None = None,
) -> Iterator[Copied]:
    """Build marts and all that they read, and copy them; publish nothing.

    On DuckDB they are built in a database of their own, on Snowflake as the candidates of a run.
    `code` says that the graph is of another version of the project. The engine is connected until
    the end, so that `changed` can look again at the sources. Raises ChangedSourcesError if sources
    change meanwhile, and what planning raises.
    """
    own = replace(settings, elsewhere=None)
    if own.backend == DUCKDB:
        file = place.folder.with_suffix(".duckdb")
        own = replace(own, database=str(file), given=own.given | {"database"})
    wanted = [name for name in names if name in graph.project.marts]
    needed = {*wanted, *graph.upstream(*wanted)}
    with wiring.connected(graph, own, read_only=False) as backend:
        as_of = wiring.as_of(settings, backend.data_as_of)
        run_id = wiring.run_id()
        with code.within() if code else nullcontext():
            selected = [name for name in graph.order if name in needed]
            state = inspect_engine(graph, selected, backend)
            plan = plan_run(graph, selected, state, as_of)
            with building.built(plan, backend, run_id=run_id):
                marts = {
                    name: _copied_candidate(shape_of(graph, name), as_of, backend, place)
                    for name in wanted
                }
        # Whoever drops candidates sends nothing more until told so.
        backend.go_on()
        if changed := backend.changed_sources():
            raise ChangedSourcesError(changed)
        versions = {name: state.source_version(name) for name in graph.sources_read(needed)}
        where = " · ".join([title, backend.name, f"as of {as_of.day}"])
        yield Copied(where, backend.name, marts, versions, backend.changed_sources, code=code)


def _copied_candidate(mart: Shape, as_of: FixedAsOf, backend: Backend, place: Place) -> Copy:
    copy = _written(mart, dict(schema_of(mart.columns)), backend, place)
    return replace(copy, as_of=as_of.day)


def _place(settings: Settings, backend: Backend) -> tuple[str, str]:
    """Return which marts are read, so that two names of a place are the same."""
    if file := settings.database_file:
        return str(file.resolve()), settings.schema.lower()
    return backend.name, backend.where.rpartition(" → ")[2]


def _where(settings: Settings, backend: Backend) -> str:
    place = backend.where.rpartition(" → ")[2]
    words = (settings.env, backend.name, place)
    return " · ".join(word for word in words if word)


def _written(mart: Shape, types: Types, backend: Backend, place: Place) -> Copy:
    """Copy the rows of a mart, as queries of the backend read them."""
    columns = {column.name: column for column in mart.columns}
    found = {name.lower(): kind.copy(nullable=True) for name, kind in types.items()}
    kinds = {name: meant(columns.get(name), name, kind) for name, kind in found.items()}
    kinds = {name: kind for name, kind in kinds.items() if is_compared(kind)}
    selected = [
        sge.column(name, quoted=True).as_(name.lower(), quoted=True)
        for name in types
        if name.lower() in kinds
    ]
    # Rows count even where no column can be compared.
    query = sge.select(*(selected or [sge.Literal.number(1).as_("nothing", quoted=True)]))
    query = query.from_(sge.table_(mart.name, quoted=True))
    schema = ibis.schema(kinds or {"nothing": dt.int64})
    place.folder.mkdir(exist_ok=True)
    file = place.folder / f"{mart.name}.parquet"
    with (
        file.open("xb") as opened,
        streamed(backend, query, schema, about=mart.name) as batches,
    ):
        rows = Counted(lambda count: place.watch(mart.name, count))
        write_parquet(opened, schema.to_pyarrow(), rows.counting(batches))
    return Copy(file, found, dict(schema.items()), rows.count)
