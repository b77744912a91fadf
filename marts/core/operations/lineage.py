"""Where the columns of a table come from, and which columns come from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from marts.core.analysis.column_lineage import Edges, ProjectLineage, TableLineage, project_lineage
from marts.core.authoring.tables import Mart, Source
from marts.core.errors import UsageError, did_you_mean
from marts.core.operations import wiring
from marts.core.operations.wiring import Linked
from marts.core.project.graph import Graph
from marts.core.project.settings import Settings


@dataclass(frozen=True)
class Question:
    """A table of a project, and the columns of it that the question is about."""

    table: Source | Mart
    column: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column, or all columns of the table."""
        return (self.column,) if self.column else tuple(each.name for each in self.table.columns)

    @property
    def text(self) -> str:
        """The table and its column, as it is typed."""
        return f"{self.table.name}.{self.column}" if self.column else self.table.name


@dataclass(frozen=True)
class Upstream:
    """On what columns of a mart depend: in its inputs, and in sources through all marts."""

    about: Question
    inputs: TableLineage
    sources: TableLineage
    lineage: ProjectLineage = field(repr=False)


@dataclass(frozen=True)
class Downstream:
    """Which columns of marts depend on columns of a table, by column.

    `columns` are all columns of each mart, the marts in build order.
    """

    about: Question
    readers: Mapping[str, Edges]
    columns: Mapping[str, tuple[str, ...]] = field(repr=False)


def upstream_of(
    settings: Settings, name: str, *, only_direct: bool = False, project: Linked | None = None
) -> Upstream:
    """Return on what a mart, or one column of it, depends; connect to nothing.

    `name` is MART or MART.COLUMN. With `only_direct`, only what values are made of is kept. The
    project is loaded unless it is given. Raises UsageError for an unknown name, and for a source.
    """
    graph, reliance = project or wiring.linked(settings)
    about = _question(name, graph)
    if isinstance(about.table, Source):
        raise UsageError(
            f"{about.table.name} is a source: nothing in the project feeds it",
            hint=f"to see what it feeds: marts lineage {about.text} --downstream",
        )
    lineage = project_lineage(graph, reliance.queries)
    if only_direct:
        lineage = lineage.only_direct()
    found = lineage.inputs_apart(about.table.name), lineage.sources_apart(about.table.name)
    inputs, sources = (_only(each, about.columns) for each in found)
    return Upstream(about, inputs, sources, lineage)


def downstream_of(
    settings: Settings, name: str, *, only_direct: bool = False, project: Linked | None = None
) -> Downstream:
    """Return which columns of marts depend on a table, or on one column of it.

    `name` is TABLE or TABLE.COLUMN, of a source or a mart. With `only_direct`, only columns whose
    values are made of it are kept. The project is loaded unless it is given; nothing is connected
    to. Raises UsageError for an unknown name.
    """
    graph, reliance = project or wiring.linked(settings)
    about = _question(name, graph)
    lineage = project_lineage(graph, reliance.queries)
    if only_direct:
        lineage = lineage.only_direct()
    readers = {column: lineage.downstream(about.table.name, column) for column in about.columns}
    marts = graph.project.marts
    columns = {name: tuple(each.name for each in marts[name].columns) for name in graph.order}
    return Downstream(about, readers, columns)


def _only(found: TableLineage, names: Collection[str]) -> TableLineage:
    return found._replace(
        columns={name: found.columns[name] for name in names},
        counted={name: found.counted[name] for name in names},
    )


def _question(name: str, graph: Graph) -> Question:
    """Return the table and the column of a name; raise UsageError for an unknown one."""
    table_name, dot, column = name.partition(".")
    known: dict[str, Source | Mart] = {**graph.project.marts, **graph.project.sources}
    if not table_name or (dot and not column):
        given = f"marts lineage {table_name or 'MART'}{column and f'.{column}'}"
        raise UsageError(
            f"{name or repr(name)} is not MART or MART.COLUMN",
            hint=_having(column, known) or given,
        )
    if table_name not in known:
        hint = _having(name, known) or did_you_mean(table_name, known)
        raise UsageError(
            f"there is no mart or source {table_name}", hint=hint or "`marts ls` lists the marts"
        )
    question = Question(known[table_name], column if dot else None)
    if dot and column not in (names := Question(known[table_name]).columns):
        raise UsageError(
            f"{table_name} has no column {column}",
            f"its columns are: {', '.join(names)}",
            hint=did_you_mean(column, names),
        )
    return question


def _having(column: str, known: Mapping[str, Source | Mart]) -> str | None:
    """Return a hint with the tables that have a column of a name."""
    found = [name for name, table in known.items() if column in Question(table).columns]
    return (
        f"name its table, too: {', '.join(f'{name}.{column}' for name in found)}" if found else None
    )
