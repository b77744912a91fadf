"""The worlds of a project: made on DuckDB, and written as data that commands read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marts.core.project.graph import Graph
    from marts.core.proof.worlds import World


def worlds_of(graph: Graph) -> Sequence[World]:
    """Return the generic worlds of a project.

    Raises MartsError for a check of a source that none of the generic rows fulfil.
    """
    from backends.factory import worlds_on_duckdb
    from marts.core.proof.corpus import generic_worlds

    engine = worlds_on_duckdb()
    try:
        return generic_worlds(graph, engine)
    finally:
        engine.close()


def write_world(world: World, folder: Path) -> None:
    """Write a world as Parquet files and a dataset.json, which `--data` reads."""
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    for name, table in world.tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    (folder / "dataset.json").write_text(json.dumps({"as_of": str(world.as_of)}) + "\n", "utf-8")
