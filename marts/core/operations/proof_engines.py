"""The engines of a proof: DuckDB in memory, and what executes Snowflake's SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from marts.core.operations import wiring
from marts.core.project.graph import Graph
from marts.core.project.settings import SNOWFLAKE, Settings, with_given
from marts.core.proof.building import WorldBuilder
from marts.core.proof.shrinking import Shrinker
from marts.core.run.world_engine import WorldEngine

EMULATOR = "emulator"
"""The name of the local stand-in for Snowflake, as an engine."""
SECONDS_TO_SHRINK = 20
"""How long a world with a failure is made smaller."""


@contextmanager
def on_duckdb() -> Iterator[WorldEngine]:
    """Open DuckDB in memory."""
    from backends.factory import worlds_on_duckdb

    with closing(worlds_on_duckdb()) as engine:
        yield engine


@contextmanager
def shrinking(graph: Graph) -> Iterator[Shrinker]:
    """Give what makes a world smaller, with a DuckDB of its own for the checks of sources."""
    with on_duckdb() as engine:
        yield Shrinker(WorldBuilder(graph, engine), seconds=SECONDS_TO_SHRINK)


@contextmanager
def on_snowflake(settings: Settings, connection: str | None) -> Iterator[WorldEngine]:
    """Open a scratch schema by a connection; without one, on an emulator that is started for it.

    Raises UsageError for a connection that does not exist, EngineError if it cannot be used.
    """
    from backends.factory import emulated_connection, worlds_on_snowflake

    version, run_id = wiring.version_of_marts(), wiring.run_id()
    given = with_given(settings, backend=SNOWFLAKE, connection=connection or EMULATOR)
    with ExitStack() as stack:
        if connection:
            engine = worlds_on_snowflake(given, version=version, run_id=run_id)
        else:
            # The settings' own database, role and warehouse are in an account, not in the emulator.
            given = with_given(given, database=None, role=None, warehouse=None)
            parameters = stack.enter_context(emulated_connection())
            engine = worlds_on_snowflake(
                given, version=version, run_id=run_id, name=EMULATOR, parameters=parameters
            )
        yield stack.enter_context(closing(engine))
