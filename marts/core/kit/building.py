"""Build marts from the tables of a test, on any engine that is handed its tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from operator import methodcaller

import pyarrow as pa

from marts.core.api.project import Project
from marts.core.errors import MartsError, SourceError, UsageError, did_you_mean
from marts.core.kit.tables import Day, Rows, world_of
from marts.core.project.graph import Graph
from marts.core.proof.building import WorldBuilder
from marts.core.proof.source_checks import SourceChecker
from marts.core.run.world_engine import WorldEngine

# A test's author wants to see the test's own line.
__tracebackhide__ = methodcaller("errisinstance", MartsError)


class Built(dict[str, pa.Table]):
    """The rows of marts, by name; `sql` has the statement that built each, over bare names."""

    def __init__(self, tables: Mapping[str, pa.Table], sql: Mapping[str, str]) -> None:
        super().__init__(tables)
        self.sql = sql


class MartsBuilder:
    """Builds marts on one engine, from one set of tables after another."""

    def __init__(self, graph: Graph, engine: WorldEngine) -> None:
        self.graph = graph
        self._engine = engine
        self._builder = WorldBuilder(graph, engine)
        self._checker = SourceChecker(self._builder)

    def __repr__(self) -> str:
        return f"<MartsBuilder of {self.graph.project.package} on {self._engine.name}>"

    def build(
        self,
        tables: Mapping[str, Rows],
        as_of: Day,
        *,
        marts: Iterable[str] | str | None = None,
        source_checks: bool = True,
    ) -> Built:
        """Build marts, by default all, and what they read, for a date; return their rows by name.

        `tables` has the rows of sources: an Arrow table, a DataFrame, of which a NaN is null, or a
        list of dictionaries. Columns and required sources that are not given are made up, as those
        of an example are. The rows that are returned have the engine's types, and no checks of
        marts are made.

        Raises UsageError for an unknown name, and for rows that do not fit their contract;
        SourceError for rows that break a check of severity error, of which no run would publish
        anything, unless `source_checks` is false; DefinitionError for what cannot be made up;
        EngineError for what the engine refuses.
        """
        names = [marts] if isinstance(marts, str) else marts
        wanted = None if names is None else self._known(names)
        world = world_of(self.graph.project.sources, tables, as_of)
        if source_checks and (broken := self._checker.broken_by(world)):
            raise SourceError(
                "the rows of this test break checks of the sources; no run would publish marts",
                *(f"{source.name}: {check.name}" for source, check in broken),
                hint="give rows that pass them, or pass source_checks=False",
            )
        built = self._builder.build(world, wanted)
        return Built(built.tables, built.sql)

    def _known(self, names: Iterable[str]) -> Collection[str]:
        known = self.graph.project.marts
        wanted = tuple(names)
        for name in wanted:
            if name not in known:
                raise UsageError(
                    f"there is no mart {name}",
                    hint=did_you_mean(name, known) or f"the marts are: {', '.join(known)}",
                )
        return wanted

    def close(self) -> None:
        """Drop everything that was built."""
        self._engine.close()


def on_duckdb(graph: Graph, *, threads: int = 1) -> MartsBuilder:
    """Return what builds marts on DuckDB, in memory."""
    from backends.factory import worlds_on_duckdb

    return MartsBuilder(graph, worlds_on_duckdb(threads=threads))


def build(
    project: Project,
    tables: Mapping[str, Rows],
    as_of: Day,
    *,
    marts: Iterable[str] | str | None = None,
    source_checks: bool = True,
) -> Built:
    """Build marts of a project on DuckDB, in memory: see `MartsBuilder.build`."""
    with closing(on_duckdb(project.linked.graph)) as builder:
        return builder.build(tables, as_of, marts=marts, source_checks=source_checks)
