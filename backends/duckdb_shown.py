"""How people read where a source is, in DuckDB's SQL; needs no connection."""

from __future__ import annotations

import sqlglot.expressions as sge

from backends.data_files import CSV_SUFFIXES, pattern_of
from backends.duckdb_ddl import DIALECT
from backends.duckdb_locations import Files, Location


def shown(location: Location) -> sge.Table:
    """Return a call that reads files, or a table's name in the database of its file's name."""
    if not isinstance(location, Files):
        catalog = location.file.stem
        return sge.table_(location.name, db=location.schema, catalog=catalog, quoted=True)
    pattern = pattern_of(location.path)
    if pattern.lower().endswith(CSV_SUFFIXES):
        return sge.Table(this=sge.Anonymous(this="READ_CSV", expressions=[_text(pattern)]))
    return sge.Table(this=sge.func("read_parquet", _text(pattern), dialect=DIALECT))


def _text(pattern: str) -> sge.Literal:
    return sge.Literal.string(pattern)
