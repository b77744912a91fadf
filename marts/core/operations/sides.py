"""The sides of a comparison: where marts are published, and copies of their rows in files."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import ibis
import ibis.expr.datatypes as dt
import sqlglot.expressions as sge

from marts.core.authoring.tables import Mart
from marts.core.errors import EngineError
from marts.core.operations import wiring
from marts.core.operations.show import publication_of
from marts.core.project.graph import Graph
from marts.core.project.settings import Settings
from marts.core.query.alignment import Types, is_compared, meant
from marts.core.run.backend import Backend
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


@dataclass(frozen=True)
class Copied:
    """One side: where its marts are in words, its engine, and the copies of those that exist."""

    where: str
    engine: str
    marts: Mapping[str, Copy]


def copied(
    graph: Graph, settings: Settings, names: Iterable[str], folder: Path, watch: Watch
) -> Copied:
    """Copy published marts to files in a folder, each as `<mart>.parquet`.

    The connection can only read. Raises EngineError if a mart is published again meanwhile.
    """
    folder.mkdir()
    with wiring.connected(graph, settings, read_only=True) as backend:
        published = {name: state.types for name, state in backend.describe_published().items()}
        marts = {
            name: _copied(graph.project.marts[name], published[name], backend, folder, watch)
            for name in names
            if name in published
        }
        return Copied(_where(settings, backend), backend.name, marts)


def _where(settings: Settings, backend: Backend) -> str:
    place = backend.where.rpartition(" → ")[2]
    words = (settings.env, backend.name, place)
    return " · ".join(word for word in words if word)


def _copied(mart: Mart, types: Types, backend: Backend, folder: Path, watch: Watch) -> Copy:
    publication = publication_of(mart, backend)
    copy = write_copy(mart, types, backend, folder, watch)
    # It looks anew at what is published.
    backend.go_on()
    now = publication_of(mart, backend)
    if (publication and publication.run_id) != (now and now.run_id):
        raise EngineError(
            f"{mart.name} was published again while it was read",
            hint="compare again",
        )
    return replace(copy, as_of=publication.as_of if publication else None)


def write_copy(mart: Mart, types: Types, backend: Backend, folder: Path, watch: Watch) -> Copy:
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
    file = folder / f"{mart.name}.parquet"
    with (
        file.open("xb") as opened,
        streamed(backend, query, schema, about=mart.name) as batches,
    ):
        rows = Counted(lambda count: watch(mart.name, count))
        write_parquet(opened, schema.to_pyarrow(), rows.counting(batches))
    return Copy(file, found, dict(schema.items()), rows.count)
