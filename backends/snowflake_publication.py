"""What publishing does on Snowflake: targets become clones of candidates, and are recorded.

There is no transaction over several tables: the statements run one right after the other, and if
one fails, an error says which targets are new.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from backends import snowflake_ddl as ddl
from backends.snowflake_candidates import Candidate
from backends.snowflake_catalog import Catalog
from backends.snowflake_sql import Namespace
from marts.core.errors import EngineError, PartlyPublishedError
from marts.core.plan.state import (
    EARLIER_STATE_TABLE,
    STATE_COLUMNS,
    STATE_TABLE,
    Materialized,
    Publication,
    RecordedTable,
)

Execute = Callable[[str, str, str], object]
"""Runs a statement about a table, in a step of the run."""

Kinds = Mapping[str, Materialized]
"""The kinds of the relations in the marts' schema, by upper-case name."""


@dataclass(frozen=True)
class Schema:
    """The schema of the marts, with the state table, and the function that runs statements."""

    namespace: Namespace
    execute: Execute

    def qualified(self, name: str) -> str:
        """Return the qualified name of a relation, as SQL."""
        return self.namespace.qualified(name).sql(ddl.DIALECT)

    def create_state(self) -> None:
        """Create the state table if it does not exist."""
        self.execute(ddl.create_state(self.qualified(STATE_TABLE), STATE_COLUMNS), "", "begin")

    def record(self, rows: Sequence[RecordedTable], *, step: str) -> None:
        """Record rows; those with an as-of date are recorded as published now."""
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None, microsecond=0)
        written = [asdict(row) | {"published_at": now if row.as_of else None} for row in rows]
        if rows:
            ordered = [{name: row[name] for name in STATE_COLUMNS} for row in written]
            self.execute(ddl.merge_state(self.qualified(STATE_TABLE), ordered), "", step)

    def forget(self, names: Collection[str], *, step: str, but_of: str | None = None) -> None:
        """Delete the records of relations, except those of the package `but_of`."""
        but = {"kind": "source"} | ({} if but_of is None else {"package": but_of})
        if names:
            sql = ddl.delete_state(self.qualified(STATE_TABLE), "name", names, but=but)
            self.execute(sql, "", step)


def publish(
    publication: Publication,
    candidates: Mapping[str, Candidate],
    schema: Schema,
    catalog: Catalog,
    *,
    recorded_in: Callable[[str], Collection[RecordedTable]],
) -> None:
    """Replace every target by its candidate, drop relations, and record both.

    New names are recorded before that. `recorded_in` reads one of the state tables. Raises
    PartlyPublishedError if it fails after the first target was replaced.
    """
    kinds = catalog.kinds(schema.namespace)
    published = {name: each for name, each in candidates.items() if each.kind != "temporary"}
    package, run_id = publication.package, publication.run_id
    new = [name for name in published if name.upper() not in kinds]
    claims = [RecordedTable(package, name, published[name].kind, run_id) for name in new]
    schema.record(claims, step="claim")
    replace_targets(published.values(), schema, kinds)
    try:
        for name in publication.drops:
            if kind := kinds.get(name.upper()):
                schema.execute(ddl.drop(kind, schema.qualified(name)), name, "drop")
        _record(publication, published, schema, catalog)
        names = [*published, *publication.drops]
        if names and EARLIER_STATE_TABLE.upper() in kinds:
            earlier = schema.qualified(EARLIER_STATE_TABLE)
            schema.execute(ddl.delete_state(earlier, "mart", names), "", "publish")
            if not recorded_in(EARLIER_STATE_TABLE):
                schema.execute(ddl.drop("table", earlier), "", "publish")
    except (EngineError, KeyboardInterrupt) as error:
        raise PartlyPublishedError(list(published), [], error) from error


def _record(
    publication: Publication,
    published: Mapping[str, Candidate],
    schema: Schema,
    catalog: Catalog,
) -> None:
    package, made_by = publication.package, (publication.run_id, publication.as_of)
    catalog.forget()
    found = catalog.describe(schema.namespace)
    marts = [
        RecordedTable(
            package,
            name,
            candidate.kind,
            *made_by,
            found[name].version,
            publication.fingerprints.get(name),
        )
        for name, candidate in published.items()
    ]
    sources = [
        RecordedTable(package, name, "source", *made_by, None, text)
        for name, text in publication.checked.items()
    ]
    schema.record([*marts, *sources], step="publish")
    schema.forget(publication.drops, step="publish")
    # A package that adopts a table adopts its record. The other's record is deleted last, so that
    # a table always has one.
    schema.forget(list(published), step="publish", but_of=package)


def replace_targets(candidates: Collection[Candidate], schema: Schema, kinds: Kinds) -> None:
    """Replace targets by their candidates, in build order.

    Raises PartlyPublishedError if it fails after the first target was replaced.
    """
    new: list[str] = []
    executed = 0
    try:
        for candidate in candidates:
            for sql in _replacing(candidate, schema, kinds.get(candidate.name.upper())):
                schema.execute(sql, candidate.name, "publish")
                executed += 1
            new.append(candidate.name)
    except (EngineError, KeyboardInterrupt) as error:
        # A statement that failed changed nothing; one that was interrupted may have.
        if not executed and isinstance(error, EngineError):
            raise
        old = [each.name for each in candidates if each.name not in new]
        raise PartlyPublishedError(new, old, error) from error


def _replacing(
    candidate: Candidate, schema: Schema, existing: Materialized | None
) -> Iterator[str]:
    target = schema.qualified(candidate.name)
    if existing not in (None, candidate.kind):
        # CREATE OR REPLACE does not replace a view by a table, or a table by a view.
        yield ddl.drop(existing, target)
    if candidate.kind == "view":
        yield candidate.create_view(target, candidate.definition)
    else:
        yield ddl.replace_by_clone(target, candidate.qualified)
