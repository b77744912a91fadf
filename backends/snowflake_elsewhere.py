"""The marts of another environment on Snowflake: in another schema of the same account."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from backends.snowflake_catalog import Catalog
from backends.snowflake_connection import ElsewhereOptions
from backends.snowflake_sql import Namespace, compiled, qualified_sql
from backends.snowflake_state import without_digest
from backends.sql import own_place, recorded
from marts.core.errors import UsageError
from marts.core.plan.state import STATE_TABLE, Query, RecordedTable, TableState, group_of_state

Fetch = Callable[[str, str], list[dict[str, Any]]]
"""Runs a query about a table, and returns its rows."""


class Elsewhere:
    """The schema of another environment, only to be read.

    It may be published to at any time, so what was read there is compared at the end.
    """

    def __init__(
        self, options: ElsewhereOptions, namespace: Namespace, catalog: Catalog, fetch: Fetch
    ) -> None:
        self.environment = options.environment
        self.namespace = namespace
        self.where = str(namespace)
        self._catalog = catalog
        self._fetch = fetch
        self._seen: Mapping[str, tuple[str, str | None]] = {}

    def describe_published(
        self,
        versions: Collection[str] = (),  # noqa: ARG002  (the catalog has all versions)
    ) -> Mapping[str, TableState]:
        """Return the state of every relation there."""
        return self._catalog.describe(self.namespace)

    def state(self) -> Sequence[RecordedTable]:
        """Return what any package has recorded there, and remember it.

        Raises UsageError if nothing is recorded there that this role can see.
        """
        kinds = [name.lower() for name in self._catalog.kinds(self.namespace)]
        if not any(map(group_of_state, kinds)):
            raise UsageError(
                f"nothing is published in {self.environment}: {self.namespace} has no table"
                f" {STATE_TABLE} that this role can see",
                hint=f"publish its marts, marts run --env {self.environment}, or grant the role"
                f" SELECT on all tables of {self.namespace}",
            )
        rows = [without_digest(row) for row in recorded(self, kinds)]
        self._seen = self._found(rows)
        return rows

    def fetch(self, query: Query, *, about: str) -> list[dict[str, Any]]:
        """Run a query over the relations there, and return its rows."""
        return self._fetch(qualified_sql(compiled(query), {}, self.namespace), about)

    def changed(self, names: Collection[str]) -> list[str]:
        """Return a line for each of these marts that was published or altered since `state`."""
        seen = self._seen
        self._catalog.forget()
        self.state()
        # A later group of the run was planned, too, on what was seen first.
        now, self._seen = self._seen, seen
        return [
            f"{name} in {self.environment}: {self.namespace} has another version"
            for name in sorted(names)
            if now.get(name) != seen.get(name)
        ]

    def _found(self, rows: Sequence[RecordedTable]) -> dict[str, tuple[str, str | None]]:
        """Return the run and the version of each relation there."""
        versions = {name: each.version for name, each in self.describe_published().items()}
        return {row.name: (row.run_id, versions.get(row.name)) for row in rows}


def elsewhere(
    there: ElsewhereOptions | None,
    database: str | None,
    own: Namespace,
    catalog: Catalog,
    fetch: Fetch,
) -> Elsewhere | None:
    """Return the other environment of the options; `database` is the connection's own.

    Raises UsageError if it is the schema that marts are published to, or its database is unknown.
    """
    if there is None:
        return None
    found = catalog.namespace(there.schema, there.database or database or "")
    if found == own:
        raise own_place(there.environment, str(found))
    return Elsewhere(there, found, catalog, fetch)
