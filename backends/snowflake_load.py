"""Upload a directory of Parquet files as tables, to try marts on an empty account."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from backends import snowflake_ddl as ddl
from backends.snowflake import SnowflakeBackend
from marts.core.errors import SourceError, UsageError


def load(
    backend: SnowflakeBackend,
    tables: Mapping[str, Sequence[Path]],
    *,
    run_id: str,
    overwrite: bool,
    loaded: Callable[[str, int], None],
) -> None:
    """Create each table with all columns of its files; call `loaded` with its name and row count.

    Tables are filled under other names and replace them when all are complete. Raises
    UsageError if a table exists and `overwrite` is false.
    """
    existing = sorted(set(tables) & set(backend.describe_published()))
    if existing and not overwrite:
        raise UsageError(
            f"{backend.namespace} has {', '.join(existing)} already",
            hint="pass --overwrite to replace them",
        )
    done = False
    try:
        backend.begin(run_id)
        stage = f"@{backend.schema.qualified(f'MARTS_LOAD_{run_id}')}"
        backend.execute(f"CREATE TEMPORARY STAGE {stage[1:]}", step="load")
        for name, files in tables.items():
            loaded(name, _fill(backend, name, files, stage=f"{stage}/{name}"))
        backend.replace_targets()
        done = True
    finally:
        if done:
            backend.drop_candidates()
        else:
            backend.discard()


def _fill(backend: SnowflakeBackend, name: str, files: Sequence[Path], *, stage: str) -> int:
    """Upload a table's files, create its candidate from them, and return its row count."""
    schema = _schema(name, files[0])
    table = backend.add_candidate(name, "table", tuple(schema.names)).qualified
    backend.execute(ddl.create_table(table, schema), about=name, step="load")
    for number, file in enumerate(files):
        # Each file has its own folder: of two files with one name, the second would be skipped.
        put = f"PUT {ddl.literal(f'file://{file}')} {stage}/{number} AUTO_COMPRESS = FALSE"
        backend.execute(put, about=name, step="load")
    backend.execute(ddl.copy_into(table, stage), about=name, step="load")
    return sum(pq.read_metadata(file).num_rows for file in files)


def _schema(name: str, file: Path) -> ibis.Schema:
    try:
        return ibis.Schema.from_pyarrow(pq.read_schema(file))
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            f"{name}: {file.name} is not a readable Parquet file", str(file)
        ) from error
