"""Trace values of worlds, and compute them again from the rows found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa

from marts.core.analysis.tracing import Extent, Key, Trace, Tracing, Untraceable
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart
from marts.core.proof.building import WorldBuilder
from marts.core.proof.worlds import World
from marts.core.query.definition import inlined, logical_tables


@dataclass
class Traces:
    """The marts of a world, and the rows behind their values."""

    builder: WorldBuilder
    world: World
    _known: dict[str, Tracing] = field(default_factory=dict)
    _rows: dict[Any, pa.Table] = field(default_factory=dict)

    @cached_property
    def marts(self) -> Mapping[str, pa.Table]:
        """The marts, built of all rows."""
        return self.builder.build(self.world).tables

    @cached_property
    def _queries(self) -> Mapping[str, Any]:
        project = self.builder.graph.project
        tables = logical_tables(project, present=self.world.tables)
        sources = {name: tables[name] for name in project.sources}
        return inlined(self.builder.graph, sources, FixedAsOf(self.world.as_of))

    def keys(self, mart: Mart) -> Iterator[Key]:
        """Yield the keys of all rows of a mart."""
        yield from self.marts[mart.name].select(list(mart.grain)).to_pylist()

    def of(self, mart: str, column: str, key: Key, extent: Extent) -> Trace | Untraceable:
        """Return what is behind a value."""
        if mart not in self._known:
            self._known[mart] = Tracing(self.builder.graph.project, self._queries[mart])
        return self._known[mart].trace(column, key, extent)

    def rows(self, found: Trace) -> dict[str, pa.Table]:
        """Return the rows of each source that are behind a value; none of the others."""
        engine = self.builder.engine
        engine.show(self.world.tables)
        for query in found.rows.values():
            if query.op() not in self._rows:
                self._rows[query.op()] = engine.rows(engine.compile(query))
        return {
            name: self._rows[found.rows[name].op()] if name in found.rows else table.slice(0, 0)
            for name, table in self.world.tables.items()
        }

    def recomputed(self, mart: str, key: Key, rows: Mapping[str, pa.Table]) -> dict[str, Any]:
        """Return the row of a mart with a key, computed from these rows alone."""
        made = self.builder.build(World(rows, self.world.as_of), [mart]).tables[mart]
        return row_of(made, key)


def row_of(table: pa.Table, key: Key) -> dict[str, Any]:
    """Return the row with a key."""
    (found,) = (row for row in table.to_pylist() if all(row[n] == v for n, v in key.items()))
    return dict(found)
