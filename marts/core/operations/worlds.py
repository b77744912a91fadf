"""The worlds of a project, made on DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marts.core.project.graph import Graph
    from marts.core.project.settings import Settings
    from marts.core.proof.worlds import World
    from marts.core.run.world_engine import WorldEngine


@contextmanager
def worlds_on_duckdb(
    graph: Graph, settings: Settings
) -> Iterator[tuple[WorldEngine, tuple[World, ...]]]:
    """Open DuckDB in memory, and yield it with the worlds on which a project is tried in any case.

    Raises what `for_proof` and `worlds_of` raise.
    """
    from backends import factory
    from marts.core.project.proof_modules import for_proof
    from marts.core.proof.corpora import worlds_of

    engine = factory.worlds_on_duckdb()
    try:
        declared = for_proof(graph.project, settings)
        yield engine, worlds_of(graph, declared, engine, as_of=settings.as_of)
    finally:
        engine.close()
