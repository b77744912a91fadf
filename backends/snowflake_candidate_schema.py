"""The candidates of one run: in a schema of their own, recorded, and dropped at the end."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from types import MappingProxyType

import sqlglot.expressions as sge

from backends import snowflake_ddl as ddl
from backends.snowflake_access import close_to_readers
from backends.snowflake_candidates import Candidate, candidate_name, is_left_over, is_old
from backends.snowflake_catalog import Catalog
from backends.snowflake_errors import LostAnswerError
from backends.snowflake_sql import Namespace
from backends.snowflake_state import MARKER, NOBODY, Schema, groups_in
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
        self._own: set[str] = set()
        """The names of what the group at hand builds."""
        self._published: set[str] = set()
        """The marts of earlier groups that this run has published."""
        self._claimed: dict[str, Schema] = {}
        """The names of the recorded candidates, and where they are recorded."""

    @property
    def published(self) -> Mapping[str, Candidate]:
        """The candidates that are to be published, by mart."""
        found = self._candidates.items()
        return {
            name: each for name, each in found if each.kind != "temporary" and self._is_own(name)
        }

    def _is_own(self, name: str) -> bool:
        return name in self._own and name not in self._published

    def names(self) -> dict[str, sge.Table]:
        """Return the qualified name of each candidate that is read, by mart.

        Those of marts that earlier groups of the run have published are among them: the account may
        show the new rows to the session that has committed them before it shows them to others.
        https://docs.snowflake.com/en/sql-reference/transactions#read-consistency-across-sessions
        """
        read = self._own | self._published
        # A copy, because other threads add to it.
        return {name: self.qualified(name) for name in list(self._candidates) if name in read}

    def keep_published(self) -> None:
        """Keep the candidates of what was published for the run's next groups."""
        self._published |= self.published.keys()

    def name_of(self, name: str) -> str:
        """Return the name of a mart's candidate in this run."""
        return candidate_name(name, self.statements.run_id)

    def qualified(self, name: str) -> sge.Table:
        """Return the qualified name of a mart's candidate in this run."""
        return self.namespace.qualified(self.name_of(name))

    def begin(
        self, group: str, recorded: Callable[[], Collection[RecordedTable]], *, builds: bool
    ) -> None:
        """Prepare for a run of a group, which may build nothing; sweep what others left."""
        if builds:
            self.create()
        groups = groups_in(self.catalog.kinds(self.schema.namespace))
        if groups:
            self.sweep(recorded(), group)
        if builds:
            self.schema.of(group).prepare_state(self.catalog)

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

    def claim(self, names: Collection[str], group: str) -> None:
        """Record the candidates of a group's marts before they are created."""
        self._own = set(names)
        claimed = sorted(self.name_of(name).lower() for name in names)
        schema, run_id = self.schema.of(group), self.statements.run_id
        self._claimed |= dict.fromkeys(claimed, schema)
        claims = [RecordedTable(NOBODY, name, "candidate", run_id) for name in claimed]
        schema.claim(claims, step="begin")

    def sweep(self, recorded: Collection[RecordedTable], group: str) -> None:
        """Drop the candidates of runs that died; forget a group's publications of earlier days."""
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        left = [
            row.name for row in recorded if row.kind == "candidate" and is_left_over(row.name, now)
        ]
        kinds = self.catalog.kinds(self.namespace) if left else {}
        for name in left:
            if kind := kinds.get(name.upper()):
                relation = self.namespace.qualified(name).sql(ddl.DIALECT)
                self.statements.execute(ddl.drop(kind, relation), about=name, step="sweep")
        gone: dict[str, list[str]] = {}
        for row in recorded:
            is_gone = row.kind == "candidate" and row.name in left
            # The markers of other groups are left to them: to delete one may mean to wait.
            if is_gone or (row.kind == MARKER and row.group == group and is_old(row.name, now)):
                gone.setdefault(row.group, []).append(row.name)
        for each, names in gone.items():
            self.schema.of(each).forget(names, step="sweep")

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

    def drop(self, *, copies: Collection[str] | None = None) -> None:
        """Drop this run's candidates; a later run drops those that cannot be dropped now.

        If the run goes on, `copies` are of sources, which its next groups read.
        """
        but = set[str]() if copies is None else {*copies, *self._published}
        kept = {name: each for name, each in self._candidates.items() if name in but}
        kept_names = {self.name_of(name).lower() for name in kept}
        candidates = {n: each for n, each in self._candidates.items() if n not in but}
        claimed = {n: where for n, where in self._claimed.items() if n not in kept_names}
        self._candidates = kept
        self._published &= but
        self._claimed = {n: where for n, where in self._claimed.items() if n in kept_names}
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
                claimed.pop(self.name_of(name).lower(), None)
        with suppress(EngineError):
            for schema in dict.fromkeys(claimed.values()):
                names = sorted(name for name, where in claimed.items() if where == schema)
                schema.forget(names, step="discard")
