"""The port of a proof: an engine that is handed worlds, and builds marts from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import ibis.expr.types as ir

from marts.core.plan.state import CompiledQuery, Materialized

if TYPE_CHECKING:
    import pyarrow as pa


class WorldEngine(Protocol):
    """An engine whose tables live as long as it is open, and nowhere else.

    Every method raises EngineError if the engine fails.
    """

    name: str

    def show(self, tables: Mapping[str, pa.Table]) -> None:
        """Let queries read these tables as the sources, and none of the earlier ones."""

    def compile(self, query: ir.Table) -> CompiledQuery:
        """Return a query in the engine's SQL, over the bare names of the tables it reads."""

    def build(self, name: str, query: CompiledQuery, *, kind: Materialized) -> None:
        """Create a table or view, or replace it."""

    def rows(self, query: CompiledQuery | str) -> pa.Table:
        """Return the rows of a query, or of a table by its name."""

    def close(self) -> None:
        """Drop everything."""
