"""Candidates on DuckDB: they are in a database of their own, which is removed after the run.

It is a file beside the published database: DuckDB compresses tables in a file, but not temporary
tables, which take four times the memory, whatever limit is set. If nothing may be written, the
candidates are temporary relations in memory.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import sqlglot.expressions as sge

from backends import duckdb_ddl as ddl
from marts.core.plan.state import Materialized

SUFFIX = ".candidates"


@dataclass(frozen=True)
class Candidate:
    """A relation that is built; `definition` is a view's query over the published relations.

    `comments` returns the statements that comment the relation of a given qualified name.
    """

    qualified: sge.Table
    kind: Materialized
    definition: str
    comments: Callable[[str], list[str]]

    @property
    def name(self) -> str:
        """The qualified name, as SQL."""
        return self.qualified.sql(ddl.DIALECT)


class CandidateDatabase:
    """The database of one connection's candidates."""

    def __init__(self, database: Path | None, execute: Callable[[str], None]) -> None:
        self.database = database
        self.catalog = ddl.TEMPORARY
        self._execute = execute
        self._file: Path | None = None

    def open(self) -> None:
        """Create the file, and remove files that killed runs left behind.

        No other run can need them: only one process can have the database open for writing.
        """
        if self.database is None or self._file:
            return
        hidden = f".{self.database.name}."
        for left in self.database.parent.glob(f"{glob.escape(hidden)}*{SUFFIX}*"):
            left.unlink(missing_ok=True)
        unique = os.urandom(4).hex()
        self._file = self.database.with_name(f"{hidden}{unique}{SUFFIX}")
        self.catalog = f"candidates {unique}"
        self._execute(ddl.attach(str(self._file), self.catalog))

    def close(self) -> None:
        """Remove the file; the database can no longer be queried."""
        if self._file is None:
            return
        with suppress(duckdb.Error):
            self._execute(ddl.detach(self.catalog))
        for left in self._file.parent.glob(f"{glob.escape(self._file.name)}*"):
            left.unlink(missing_ok=True)
        self._file, self.catalog = None, ddl.TEMPORARY
