"""The Snowflake emulator in tests, and marts that are built on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeAlias

from backends.emulator.process import Emulator
from backends.emulator.process import emulator as opened
from backends.factory import worlds_on_snowflake
from marts.core.console import extras
from marts.core.kit.building import MartsBuilder
from marts.core.operations import wiring
from marts.core.project.graph import Graph
from marts.core.project.settings import SNOWFLAKE, Settings

SnowflakeEmulator: TypeAlias = Emulator
DATABASE = "MARTS"
"""The database of the emulator's connection."""


@contextmanager
def emulator(folder: Path) -> Iterator[Emulator]:
    """Run an emulator with one database in a process of its own, its files in a folder.

    Raises UsageError if it is not installed.
    """
    with ExitStack() as stack:
        try:
            running = stack.enter_context(opened(folder, DATABASE))
        except ImportError as error:
            raise extras.explained(error, what="the emulator") from error
        yield running


def on_emulator(graph: Graph, running: Emulator) -> MartsBuilder:
    """Return what builds marts on a running emulator, in a schema that is dropped when closed."""
    engine = worlds_on_snowflake(
        Settings(backend=SNOWFLAKE, connection=running.connection),
        version=wiring.version_of_marts(),
        run_id=wiring.run_id(),
        name=running.connection,
        parameters=running.parameters(),
    )
    return MartsBuilder(graph, engine)
