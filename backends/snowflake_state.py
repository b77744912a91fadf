"""The state table on Snowflake: who made which table, the lock that publishers queue at, markers.

Rows of the kinds candidate, lock and publication belong to no package. The version of a published
mart is recorded with a digest of what was published: of a table's rows, of a view's definition.

Each group has a state table of its own. A change of rows locks the whole table, so with a common
one the publications of two groups would wait for each other.
https://docs.snowflake.com/en/sql-reference/transactions
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from backends import snowflake_ddl as ddl
from backends.snowflake_catalog import Catalog
from backends.snowflake_session import Result
from backends.snowflake_sql import Namespace
from marts.core.errors import EngineError
from marts.core.plan.state import (
    DEFAULT_GROUP,
    STATE_COLUMNS,
    RecordedTable,
    group_of_state,
    state_table,
)

NOBODY = ""
"""The package under which candidates, the lock and publications are recorded."""
LOCK = "lock"
"""The name and kind of the row that publishers update first, and so queue at."""
MARKER = "publication"
"""The kind of a row that is written with the marts, named after the run: it was published."""
SEPARATOR = " #"


class Transacting(Protocol):
    """What publishing needs besides statements: the commit, and a new session if it is lost."""

    def commit(self) -> None:
        """Commit; an interrupt waits for the answer. Raises EngineError."""

    def roll_back(self) -> None:
        """Roll back, if the line allows it; the account does it for a session that is gone."""

    def renew(self) -> None:
        """Log in again, since the answer of the last statement was lost."""


@dataclass(frozen=True)
class Contents:
    """How many rows a table has, and a hash of them; None if they were not hashed."""

    rows: int
    digest: str | None


Published = Mapping[tuple[str, str], str]
"""The run of each published mart, by package and name; two runs if two groups have recorded it."""


@dataclass(frozen=True)
class Schema:
    """The schema of the marts, with a group's state table, and what runs statements."""

    namespace: Namespace
    execute: Callable[[str, str, str], Result]
    """Runs a statement about a table, in a step of the run."""
    group: str = DEFAULT_GROUP

    def of(self, group: str) -> Schema:
        """Return the same schema with the state table of another group."""
        return replace(self, group=group)

    def qualified(self, name: str) -> str:
        """Return the qualified name of a relation, as SQL."""
        return self.namespace.qualified(name).sql(ddl.DIALECT)

    @property
    def state(self) -> str:
        """The qualified name of the group's state table, as SQL."""
        return self.qualified(state_table(self.group))

    def rows(self, sql: str, about: str, step: str) -> list[tuple[Any, ...]]:
        """Run a query and return its rows."""
        return [tuple(row) for row in self.execute(sql, about, step).fetchall()]

    def published(self, names: Collection[str], groups: Collection[str], *, step: str) -> Published:
        """Return the run of each mart of these names that some groups have recorded."""
        queries = (ddl.recorded_runs(self.of(each).state, names) for each in sorted(groups))
        rows = self.rows("\nUNION ALL\n".join(queries), "", step)
        return _by_name((package, name, run) for package, name, run in rows)

    def create_state(self) -> None:
        """Create the state table if it does not exist."""
        self.execute(ddl.create_own(self.state, STATE_COLUMNS), "", "begin")

    def prepare_state(self, catalog: Catalog) -> None:
        """Create the state table, or add the column that an earlier version's lacks.

        It must not be called within a transaction, which this would commit.
        """
        table = state_table(self.group).upper()
        if table not in catalog.kinds(self.namespace):
            self.create_state()
            return
        columns = catalog.columns(self.namespace)
        if "PROOF" not in {row["COLUMN_NAME"] for row in columns if row["TABLE_NAME"] == table}:
            sql = ddl.add_own_column(self.state, "proof", STATE_COLUMNS["proof"])
            self.execute(sql, "", "begin")
            catalog.forget()

    def claim(self, rows: Sequence[RecordedTable], *, step: str) -> None:
        """Record rows of which there is none yet; this waits for no other run."""
        if rows:
            self.execute(ddl.claim(self.state, _written(rows)), "", step)

    def record(self, rows: Sequence[RecordedTable], *, step: str) -> None:
        """Record rows; those with an as-of date are recorded as published now."""
        if rows:
            self.execute(ddl.merge_state(self.state, _written(rows)), "", step)

    def forget(self, names: Collection[str], *, step: str, but_of: str | None = None) -> None:
        """Delete the records of relations, except those of the package `but_of`."""
        but = {"kind": "source"} | ({} if but_of is None else {"package": but_of})
        if names:
            self.execute(ddl.delete_state(self.state, "name", names, but=but), "", step)


def published_in(rows: Iterable[RecordedTable], names: Collection[str]) -> Published:
    """Return the run of each mart of these names that is published according to recorded rows."""
    return _by_name(
        (row.package, row.name, row.run_id)
        for row in rows
        if row.package and row.name in names and row.kind in ("table", "view") and row.as_of
    )


def _by_name(rows: Iterable[tuple[str, str, str]]) -> Published:
    found: dict[tuple[str, str], str] = {}
    for package, name, run in sorted(rows):
        key = package, name
        found[key] = f"{found[key]} and {run}" if key in found else run
    return found


def refuse_other_publications(now: Published, before: Published) -> None:
    """Raise EngineError if a mart was published, or dropped, since a run has begun."""
    differ = sorted(key for key in now.keys() | before.keys() if now.get(key) != before.get(key))
    if differ:
        raise EngineError(
            "another run published meanwhile; nothing was published",
            *(f"{key[1]}: made by {now.get(key, 'nobody any more')}" for key in differ),
            hint="run again: it builds on what is published now",
        )


def _written(rows: Iterable[RecordedTable]) -> list[Mapping[str, object]]:
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None, microsecond=0)
    written = [asdict(row) | {"published_at": now if row.as_of else None} for row in rows]
    return [{name: row[name] for name in STATE_COLUMNS} for row in written]


def groups_in(tables: Iterable[str]) -> set[str]:
    """Return the groups whose state tables are among some tables, as the catalog spells them."""
    found = (group_of_state(name.lower()) for name in tables)
    return {group for group in found if group is not None}


def with_digest(version: str, digest: str | None) -> str:
    """Return a version with the digest of what was published, as the state table has it."""
    return f"{version}{SEPARATOR}{digest}" if digest else version


def digests(rows: Iterable[RecordedTable]) -> dict[str, str]:
    """Return the digest of what was published of each table or view, as far as it is recorded."""
    split = ((row.name, (row.version or "").partition(SEPARATOR)[2]) for row in rows)
    return {name: digest for name, digest in split if digest}


def without_digest(row: RecordedTable) -> RecordedTable:
    """Return a row with the version alone; a scheduled run records none."""
    return replace(row, version=(row.version and row.version.partition(SEPARATOR)[0]) or None)
