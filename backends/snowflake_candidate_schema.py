"""The candidates of one run: in a schema of their own, recorded, and dropped at the end."""

from __future__ import annotations

import datetime
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from types import MappingProxyType

import sqlglot.expressions as sge

from backends import snowflake_ddl as ddl
from backends.snowflake_access import close_to_readers
from backends.snowflake_candidates import Candidate, candidate_name, is_left_over, is_old
from backends.snowflake_catalog import Catalog
from backends.snowflake_errors import LostAnswerError
from backends.snowflake_sql import Namespace
from backends.snowflake_state import MARKER, NOBODY, Schema
from backends.snowflake_statements import Statements
from marts.core.errors import EngineError
from marts.core.plan.state import Materialized, RecordedTable

SUFFIX = "_CANDIDATES"
"""What the name of the candidates' schema adds to that of the marts' schema."""
CLEANING_SECONDS = 20.0
"""How long dropping candidates may take; a later run drops those that are left."""


class CandidateSchema:
    """The schema of the candidates beside that of the marts, and this run's candidates in it."""

    def __init__(self, schema: Schema, catalog: Catalog, statements: Statements) -> None:
        self.schema = schema
        self.catalog = catalog
        self.statements = statements
        marts = schema.namespace
        self.namespace = Namespace(f"{marts.schema}{SUFFIX}", marts.database)
        self._candidates: dict[str, Candidate] = {}
        self._claimed: set[str] = set()
        """The names of the recorded candidates."""

    @property
    def published(self) -> Mapping[str, Candidate]:
        """The candidates that are to be published, by mart."""
        return {name: each for name, each in self._candidates.items() if each.kind != "temporary"}

    def names(self) -> dict[str, sge.Table]:
        """Return the qualified name of each candidate, by mart."""
        # A copy, because other threads add to it.
        return {name: self.qualified(name) for name in list(self._candidates)}

    def name_of(self, name: str) -> str:
        """Return the name of a mart's candidate in this run."""
        return candidate_name(name, self.statements.run_id)

    def qualified(self, name: str) -> sge.Table:
        """Return the qualified name of a mart's candidate in this run."""
        return self.namespace.qualified(self.name_of(name))

    def create(self) -> None:
        """Create the schema if it does not exist, and see to it that nobody else may use it."""
        is_new = not self.catalog.has_schema(self.namespace)
        if is_new:
            self.statements.execute(ddl.create_candidates_schema(self.namespace.sql), step="begin")
        close_to_readers(
            self.namespace,
            is_new=is_new,
            records=self.statements.records,
            execute=self.statements.about,
        )

    def claim(self, names: Collection[str]) -> None:
        """Record the candidates of marts before they are created."""
        self._claimed = {self.name_of(name).lower() for name in names}
        run_id = self.statements.run_id
        claims = [
            RecordedTable(NOBODY, name, "candidate", run_id) for name in sorted(self._claimed)
        ]
        self.schema.claim(claims, step="begin")

    def sweep(self, recorded: Collection[RecordedTable]) -> None:
        """Drop the candidates of runs that died, and forget publications of earlier days."""
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        left = [
            row.name for row in recorded if row.kind == "candidate" and is_left_over(row.name, now)
        ]
        kinds = self.catalog.kinds(self.namespace) if left else {}
        for name in left:
            if kind := kinds.get(name.upper()):
                relation = self.namespace.qualified(name).sql(ddl.DIALECT)
                self.statements.execute(ddl.drop(kind, relation), about=name, step="sweep")
        old = [row.name for row in recorded if row.kind == MARKER and is_old(row.name, now)]
        self.schema.forget([*left, *old], step="sweep")

    def add(
        self,
        name: str,
        kind: Materialized,
        columns: tuple[str, ...],
        *,
        definition: str = "",
        comment: str = "",
        column_comments: Mapping[str, str] = MappingProxyType({}),
        key: tuple[str, ...] = (),
        reads: frozenset[str] = frozenset(),
    ) -> Candidate:
        """Register a candidate that is about to be created, and return it.

        It is registered first, so that it is dropped however its creation ends.
        """
        qualified = self.qualified(name).sql(ddl.DIALECT)
        candidate = Candidate(
            name, qualified, kind, columns, definition, comment, column_comments, key, reads
        )
        self._candidates[name] = candidate
        return candidate

    def drop(self) -> None:
        """Drop this run's candidates; a later run drops those that cannot be dropped now."""
        candidates, self._candidates = self._candidates, {}
        claimed, self._claimed = self._claimed, set()
        deadline = time.monotonic() + CLEANING_SECONDS
        for name, candidate in candidates.items():
            if (left := deadline - time.monotonic()) < 0:
                return
            try:
                sql = ddl.drop("table", candidate.qualified)
                self.statements.execute(sql, about=name, step="discard", within=left)
            except LostAnswerError:
                return
            except EngineError:
                claimed.discard(self.name_of(name).lower())
        with suppress(EngineError):
            self.schema.forget(sorted(claimed), step="discard")
