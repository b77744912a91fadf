"""Candidates on DuckDB: they lie in a database of their own, which ends with the run.

It is a file beside the database, since a table in a file is packed, which a temporary one is not:
that takes four times the memory, whatever limit is set. Where nothing may be written it is memory.
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
    """A relation that is built; `definition` is a view's query over what will be published.

    `comments` returns the statements that comment the relation of a qualified name.
    """

    qualified: sge.Table
    kind: Materialized
    definition: str
    comments: Callable[[str], list[str]]

    @property
    def name(self) -> str:
        """The qualified name, as SQL."""
        return self.qualified.sql(ddl.DIALECT)


class Scratch:
    """The database of one connection's candidates, made when the first is."""

    def __init__(self, beside: Path | None, execute: Callable[[str], None]) -> None:
        self.beside = beside
        self.catalog = ddl.TEMPORARY
        self._execute = execute
        self._file: Path | None = None

    def open(self) -> None:
        """Make the file, and remove what a killed run left: the writer holds the database alone."""
        if self.beside is None or self._file:
            return
        hidden = f".{self.beside.name}."
        for left in self.beside.parent.glob(f"{glob.escape(hidden)}*{SUFFIX}*"):
            left.unlink(missing_ok=True)
        word = os.urandom(4).hex()
        self._file = self.beside.with_name(f"{hidden}{word}{SUFFIX}")
        self.catalog = f"candidates {word}"
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
