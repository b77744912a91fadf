"""Explain how one number of a mart came about, and compute it again from the rows behind it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from marts.core.analysis.personal import personal_columns
from marts.core.analysis.readable import readable
from marts.core.analysis.tracing import Extent, Key, Trace, Tracing, Untraceable
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart
from marts.core.errors import NoSuchRowError, SourceError, UsageError, did_you_mean, masked
from marts.core.operations import wiring
from marts.core.operations.explain_keys import key_of
from marts.core.operations.explain_steps import Steps
from marts.core.operations.explained import Explanation, SourceRows
from marts.core.operations.proof_engines import on_duckdb
from marts.core.operations.wiring import Linked
from marts.core.plan.fingerprint import CurrentInputs
from marts.core.plan.planner import unfit_sources
from marts.core.plan.state import EngineState
from marts.core.plan.up_to_date import outdated_among
from marts.core.proof.building import WorldBuilder
from marts.core.proof.comparison import same_value
from marts.core.proof.worlds import World
from marts.core.query.contract import schema_of
from marts.core.query.definition import inlined, logical_tables
from marts.core.run.inspection import inspect_engine
from marts.core.run.masking import masked_rows

if TYPE_CHECKING:
    from marts.core.project.graph import Graph
    from marts.core.project.settings import Settings
    from marts.core.run.backend import Backend

MOST_ROWS = 100_000
"""As many rows of a source are read: they are in memory, as Python's values, too."""

LOOKED_AT, BEHIND, COUNTED = Extent(filtered=False), Extent(), Extent(narrowed=True)


def explain(
    settings: Settings,
    name: str,
    keys: Sequence[str] | Mapping[str, object],
    *,
    project: Linked | None = None,
) -> Explanation:
    """Explain the value of a column, `MART.COLUMN`, in the row with a key.

    `keys` are as typed: a value, or `column=value` for each column of the grain; or they are the
    values by column. The published value is explained, unless the settings name another date: then
    it is what the sources give now. The project is loaded unless it is given. Raises UsageError for
    a mart, column or key that does not exist, NoSuchRowError if there is no such row, and
    SourceError for sources that a run would refuse.
    """
    graph, _ = project or wiring.linked(settings)
    mart, column = _column(name, graph)
    key = key_of(mart, keys)
    with wiring.connected(graph, settings, read_only=True) as backend:
        return _Explainer(graph, mart, column, key, backend, settings).explanation()


def _column(name: str, graph: Graph) -> tuple[Mart, str]:
    mart, _, column = name.partition(".")
    wiring.refuse_unknown(mart, graph)
    found = graph.project.marts[mart]
    known = [each.name for each in found.columns]
    if column not in known:
        raise UsageError(
            f"{mart} has no column {column}" if column else f"{name} names no column",
            hint=(did_you_mean(column, known) if column else None)
            or f"write {mart}.COLUMN; its columns: {', '.join(known)}",
        )
    return found, column


@dataclass
class _Explainer:
    """What an engine tells of one value."""

    graph: Graph
    mart: Mart
    column: str
    key: Key
    backend: Backend
    settings: Settings
    _traces: dict[Extent, Trace | Untraceable] = field(default_factory=dict)

    @cached_property
    def state(self) -> EngineState:
        """The state of the sources behind the mart, and of what is published."""
        return inspect_engine(self.graph, [self.mart.name], self.backend)

    @cached_property
    def as_of(self) -> FixedAsOf:
        """The date that is asked for, or that of the published mart, or of the data."""
        return wiring.as_of(self.settings, lambda: self.published_on or self.backend.data_as_of())

    @property
    def published_on(self) -> datetime.date | None:
        """The date of the published mart, None if it is not published or of unknown date."""
        recorded = self.state.recorded.get(self.mart.name)
        return recorded.as_of if recorded and self.mart.name in self.state.published else None

    @cached_property
    def unpublished(self) -> str | None:
        """Why no published value can be explained, None if there is one."""
        name = self.mart.name
        if self.mart.is_temporary:
            return f"{name} is temporary: it is never published"
        if name not in self.state.published:
            return f"{name} is not published: {self.backend.where}"
        if self.published_on is None:
            return f"{name} is not recorded as published by {self.graph.project.package}"
        if self.published_on != self.as_of.day:
            return f"{name} is published as of {self.published_on}"
        return None

    @cached_property
    def personal(self) -> frozenset[tuple[str, str]]:
        """The columns whose values are masked."""
        return frozenset(personal_columns(self.graph))

    @cached_property
    def tracing(self) -> Tracing:
        """What traces values of the mart."""
        return Tracing(self.graph.project, self.query)

    @cached_property
    def query(self) -> ir.Table:
        """The mart's query over the sources."""
        tables = logical_tables(self.graph.project, present=self.state.sources)
        sources = {name: tables[name] for name in self.graph.project.sources}
        return inlined(self.graph, sources, self.as_of)[self.mart.name]

    def explanation(self) -> Explanation:
        """Return how the value came about."""
        self._refuse_unfit_sources()
        row = None if self.unpublished else self._row(_table(self.mart))
        found = self._rows_looked_at()
        if isinstance(found, Untraceable):
            value = (row or self._row(self.query))[self.column]
            return self._explanation(value=value, untraced=found.reason)
        with on_duckdb() as engine:
            return self._from_rows(row, _Local(self, WorldBuilder(self.graph, engine)), found)

    def _row(self, table: ir.Table) -> Mapping[str, Any]:
        """Return the row with the key. Raises NoSuchRowError if there is none."""
        tests = [table[name] == ibis.literal(v, table[name].type()) for name, v in self.key.items()]
        query = table.filter(*tests).select(list(dict.fromkeys([*self.key, self.column])))
        rows = self.backend.fetch(query, about=self.mart.name)
        if not rows:
            raise self._no_such_row()
        return rows[0]

    def _no_such_row(self) -> NoSuchRowError:
        name = self.mart.name
        key = ", ".join(f"{column} {value}" for column, value in self._shown_key().items())
        if self.unpublished is None or self.mart.is_temporary:
            return NoSuchRowError(
                f"{name} has no row with {key}, as of {self.as_of.day}",
                hint=f"see which rows it has: marts show {name}",
            )
        return NoSuchRowError(
            f"the sources give {name} no row with {key}, as of {self.as_of.day}", self.unpublished
        )

    def _refuse_unfit_sources(self) -> None:
        """Raise SourceError if the value cannot be computed from the sources, as a run would."""
        marts = {self.mart.name, *self.graph.upstream(self.mart.name)}
        read = {each for mart in marts for each in self.graph.project.marts[mart].inputs}
        sources = [each for name, each in self.graph.project.sources.items() if name in read]
        if fault := next((f for s in sources if (f := self.state.faults.get(s.name))), None):
            raise fault
        if flaws := [*unfit_sources(sources, self.state)]:
            raise SourceError(
                "the sources do not fit their contracts;"
                f" {self.mart.name}.{self.column} cannot be computed from them",
                *flaws,
                f"looked in {self.state.source_location}",
                hint=None
                if self.unpublished
                else f"see the published value, unchecked: marts show {self.mart.name}",
            )

    def _shown_key(self) -> dict[str, object]:
        return {
            column: masked(value, is_personal=(self.mart.name, column) in self.personal)
            for column, value in self.key.items()
        }

    def traced(self, extent: Extent) -> Trace | Untraceable:
        """Return the rows of sources that are behind the value, as queries."""
        if extent not in self._traces:
            self._traces[extent] = self.tracing.trace(self.column, self.key, extent)
        return self._traces[extent]

    def _rows_looked_at(self) -> dict[str, pa.Table] | Untraceable:
        """Return the rows of each source that could be behind the value, in their order."""
        found = self.traced(LOOKED_AT)
        if isinstance(found, Untraceable):
            return found
        tables: dict[str, pa.Table] = {}
        for name in self.state.sources:
            source = self.graph.project.sources[name]
            schema = schema_of(source.columns)
            rows: list[dict[str, Any]] = []
            if name in found.rows:
                query = found.rows[name].select(*schema.names).limit(MOST_ROWS + 1)
                rows = self.backend.fetch(query, about=name)
            if len(rows) > MOST_ROWS:
                return Untraceable(f"more than {MOST_ROWS:,} rows of {name} are behind it")
            order = source.grain or schema.names
            rows.sort(key=lambda row: [(row[n] is None, row[n]) for n in order])
            tables[name] = pa.Table.from_pylist(rows, schema.to_pyarrow())
        return tables

    def _from_rows(
        self, row: Mapping[str, Any] | None, local: _Local, looked_at: Mapping[str, pa.Table]
    ) -> Explanation:
        """Return the explanation by those rows that matter, and the value that they give."""
        behind = local.chosen(looked_at, BEHIND)
        values = local.values(behind)
        if len(values) != 1:
            return self._missing(row, behind, looked_at, len(values))
        rows = self._counted(local, behind, *values)
        steps = local.steps(behind, {name: table.num_rows for name, table in rows.items()})
        (again,) = values
        return self._explanation(
            value=row[self.column] if row else again,
            recomputed=again,
            is_same=same_value(again, row[self.column]) if row else None,
            outdated=self._outdated() if row else None,
            case=steps.case(self.mart, self.column, self.key),
            inputs=steps.inputs(self.mart, self.column, self.key),
            sources=self._sources(rows, looked_at),
        )

    def _missing(
        self,
        row: Mapping[str, Any] | None,
        behind: Mapping[str, pa.Table],
        looked_at: Mapping[str, pa.Table],
        found: int,
    ) -> Explanation:
        """Return the explanation of a published row of which the sources give none, or several."""
        if row is None:
            raise self._no_such_row()
        return self._explanation(
            value=row[self.column],
            is_same=False,
            missing=f"the sources give {found} rows with this key"
            if found
            else "the sources no longer give this row",
            outdated=self._outdated(),
            sources=self._sources(behind, looked_at),
        )

    def _sources(
        self, rows: Mapping[str, pa.Table], looked_at: Mapping[str, pa.Table]
    ) -> tuple[SourceRows, ...]:
        """Return those rows, by source, for sources of which any were looked at."""
        return tuple(
            self._source(name, rows[name], table.num_rows)
            for name, table in looked_at.items()
            if table.num_rows
        )

    @staticmethod
    def _counted(
        local: _Local, behind: Mapping[str, pa.Table], value: object
    ) -> Mapping[str, pa.Table]:
        """Return the rows that conditions within aggregates count, if they give the same value.

        Without the others a group may be missing, which may give another value than an empty one.
        """
        counted = local.chosen(behind, COUNTED)
        again = [value] if counted == behind else local.values(counted)
        is_same = len(again) == 1 and same_value(again[0], value)
        return counted if is_same else behind

    def _source(self, name: str, table: pa.Table, looked_at: int) -> SourceRows:
        source, found = self.graph.project.sources[name], self.traced(BEHIND)
        needed = found.columns.get(name, ()) if isinstance(found, Trace) else ()
        others = [c.name for c in source.columns if c.name in needed and c.name not in source.grain]
        personal = {column for table, column in self.personal if table == name}
        rows = masked_rows(table.to_pylist(), personal)
        return SourceRows(name, (*source.grain, *others), rows, looked_at)

    def _explanation(self, **known: Any) -> Explanation:
        """Return an explanation with what is known, and what every one has."""
        is_personal = (self.mart.name, self.column) in self.personal
        for name in known.keys() & {"value", "recomputed"}:
            known[name] = masked(known[name], is_personal=is_personal)
        recorded = self.state.recorded.get(self.mart.name)
        return Explanation(
            mart=self.mart,
            column=self.column,
            key=self._shown_key(),
            as_of=self.as_of.day,
            definition=readable(self.mart, self.graph)[self.column],
            run_id=recorded.run_id if recorded and not self.unpublished else None,
            unpublished=self.unpublished,
            **known,
        )

    def _outdated(self) -> str | None:
        current = CurrentInputs(
            self.graph, self.state, self.as_of, self.backend.compile, checks_sources=False
        )
        return outdated_among(current, [self.mart.name], []).get(self.mart.name)


def _table(mart: Mart) -> ir.Table:
    return ibis.table(schema_of(mart.columns), name=mart.name)


@dataclass(frozen=True)
class _Local:
    """Builds marts from a few rows of the sources, in memory."""

    asked: _Explainer
    builder: WorldBuilder

    def chosen(self, tables: Mapping[str, pa.Table], extent: Extent) -> dict[str, pa.Table]:
        """Return those of some rows that are behind the value, in the same order."""
        found, engine = self.asked.traced(extent), self.builder.engine
        queries = found.rows if isinstance(found, Trace) else {}
        engine.show(tables)
        return {
            name: engine.rows(engine.compile(queries[name])).cast(table.schema)
            if name in queries
            else table.slice(0, 0)
            for name, table in tables.items()
        }

    def values(self, tables: Mapping[str, pa.Table]) -> list[object]:
        """Return the values that these rows give, one for each row with the key."""
        name = self.asked.mart.name
        built = self.builder.build(World(tables, self.asked.as_of.day), [name]).tables[name]
        key = self.asked.key.items()
        rows = (row for row in built.to_pylist() if all(row[n] == v for n, v in key))
        return [row[self.asked.column] for row in rows]

    def steps(self, tables: Mapping[str, pa.Table], rows: Mapping[str, int]) -> Steps:
        """Return what finds the steps of the value, in marts that are built from these rows."""
        asked, world = self.asked, World(tables, self.asked.as_of.day)
        self.builder.build(world, [asked.mart.name])
        queries, day = self.builder.queries(world), asked.as_of.day
        return Steps(asked.graph, queries, self.builder.engine, day, rows, asked.personal)
