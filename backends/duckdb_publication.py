"""What publishing does on DuckDB, within a transaction that the caller begins and commits."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Mapping

from backends import duckdb_ddl as ddl
from backends.duckdb_candidates import Candidate
from backends.duckdb_catalog import Catalog
from marts.core.plan.state import (
    EARLIER_STATE_TABLE,
    STATE_COLUMNS,
    Publication,
    group_of_state,
    state_table,
)

Execute = Callable[[str], None]
"""Runs a statement."""


def publish(
    publication: Publication,
    candidates: Mapping[str, Candidate],
    catalog: Catalog,
    execute: Execute,
) -> None:
    """Copy candidates to where readers find them, drop relations, and record both."""
    execute(f"CREATE SCHEMA IF NOT EXISTS {ddl.quoted(catalog.schema)}")
    kinds = catalog.kinds()
    published = {name: each for name, each in candidates.items() if each.kind != "temporary"}
    for name in {*published, *publication.drops} & kinds.keys():
        execute(ddl.drop(kinds[name], catalog.name_of(name)))
    for name, candidate in published.items():
        target = catalog.name_of(name)
        if candidate.kind == "view":
            execute(ddl.create("VIEW", target, candidate.definition))
        else:
            execute(ddl.create_table_from(target, candidate.name))
        for comment in candidate.comments(target):
            execute(comment)
    _record(publication, published, catalog, execute)
    if EARLIER_STATE_TABLE in kinds:
        _take_over([*published, *publication.drops], catalog, execute)


def _record(
    publication: Publication,
    published: Mapping[str, Candidate],
    catalog: Catalog,
    execute: Execute,
) -> None:
    state = catalog.name_of(state_table(publication.group))
    execute(ddl.create_state(state))
    columns = catalog.columns()
    if "proof" not in columns[state_table(publication.group)]:
        execute(ddl.add_own_column(state, "proof", STATE_COLUMNS["proof"]))
    if names := [*published, *publication.drops]:
        # Another package's rows, too: a package that adopts a table adopts its record. So does a
        # group.
        for table in filter(group_of_state, catalog.kinds()):
            execute(ddl.forget(catalog.name_of(table), names))
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    made_by = (publication.run_id, publication.as_of, now)
    # A candidate has the same rows, but committed, so that DuckDB reads them with all threads.
    qualified = {name: each.name for name, each in published.items()}
    versions = catalog.versions(qualified, columns)
    package, made, proofs = publication.package, publication.fingerprints, publication.proofs
    rows: list[tuple[object, ...]] = [
        (package, name, each.kind, *made_by, versions[name], made.get(name), proofs.get(name))
        for name, each in published.items()
    ]
    rows += [
        (package, name, "source", *made_by, None, text, None)
        for name, text in publication.checked.items()
    ]
    if rows:
        execute(ddl.record(state, rows))


def _take_over(names: Collection[str], catalog: Catalog, execute: Execute) -> None:
    """Delete what an earlier version recorded of these, and drop its table once it is empty."""
    earlier = catalog.name_of(EARLIER_STATE_TABLE)
    if names:
        execute(ddl.forget_earlier(earlier, names))
    if not catalog.rows(f"FROM {earlier} LIMIT 1"):
        execute(ddl.drop("TABLE", earlier))
