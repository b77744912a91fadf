"""Our marts, linked, and built from worlds that are laid out in several ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from random import Random

import pyarrow as pa

from marts.core.analysis.comments import documented
from marts.core.analysis.reliance_reader import reliance_of
from marts.core.kit.building import MartsBuilder, on_duckdb
from marts.core.project.graph import Graph, link
from marts.core.project.loading import load

GRAPH = link(load("marts"))
FACTS = "fct_transactions"


@cache
def documented_graph() -> Graph:
    """Return our marts with the words that their columns inherit."""
    return documented(GRAPH, reliance_of(GRAPH).lineage)


@dataclass(frozen=True)
class Layout:
    """How an engine is handed its rows: in which order, the facts in how many pieces; threads."""

    shuffle: int = 0
    pieces: int = 1
    threads: int = 1

    def of(self, tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        """Return the tables of a world, laid out so."""
        rows = {name: self.permuted(table) for name, table in tables.items()}
        return rows | {FACTS: pa.concat_tables(self.cut(rows[FACTS]))}

    def permuted(self, table: pa.Table) -> pa.Table:
        """Return the rows in another order; shuffle 0 leaves them as they are."""
        order = list(range(table.num_rows))
        Random(self.shuffle).shuffle(order)
        return table.take(pa.array(order, pa.int64())) if self.shuffle else table

    def cut(self, table: pa.Table) -> list[pa.Table]:
        """Return consecutive pieces, the last of which may be short or empty."""
        size = -(-table.num_rows // self.pieces)
        return [table.slice(n * size, size) for n in range(self.pieces)]


@cache
def our_marts(threads: int = 1) -> MartsBuilder:
    """Return what builds our marts on DuckDB from worlds, compiled once for each date."""
    return on_duckdb(GRAPH, threads=threads)
