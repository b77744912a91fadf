"""Replace a published table or view by a candidate, so that what governs it stays the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from backends import snowflake_ddl as ddl
from backends.snowflake_candidates import Candidate
from backends.snowflake_catalog import Catalog
from backends.snowflake_governance import (
    Governance,
    Records,
    carried,
    governance,
    granted,
    kept_by_view,
    put_on,
)
from backends.snowflake_sql import Namespace
from marts.core.plan.state import Materialized


def replacement(
    candidate: Candidate, target: str, existing: Materialized | None, found: Governance
) -> Iterator[str]:
    """Yield the statements that replace a target, a table or view of kind `existing`, if any.

    The policies and tags are on the candidate before it becomes the target, and a view is created
    with them: at no moment can a reader see a row or a value that was hidden before. If a view
    takes the place of a table, the grants come last. Raises EngineError if a policy cannot be put
    on the candidate.
    """
    left = carried(found, candidate.columns, about=candidate.name)
    if candidate.kind == "view":
        kept = kept_by_view(left, candidate.columns)
        if existing == "table":
            yield ddl.drop(existing, target)
        if existing != "view":
            kept = replace(kept, has_grants=False)
        yield candidate.create_view(target, candidate.definition, kept=kept)
        if existing == "table":
            yield from granted(left, target, "view")
        return
    yield from put_on(left, candidate.qualified)
    if existing == "view":
        # The clone has no target to copy grants from, so that it copies those of its source.
        yield from granted(left, candidate.qualified, "table")
        yield ddl.drop(existing, target)
    yield ddl.replace_by_clone(target, candidate.qualified)


def governance_of(
    replaced: Iterable[Candidate], namespace: Namespace, catalog: Catalog, records: Records
) -> dict[str, Governance]:
    """Return what governs the targets that candidates will replace, by mart.

    Raises EngineError if it cannot be put on the candidates.
    """
    kinds, tables, found = catalog.kinds(namespace), catalog.tables(namespace), {}
    for candidate in replaced:
        name = candidate.name.upper()
        clustering = tables[name]["CLUSTERING_KEY"]
        governed = governance(namespace, name, kinds[name], records, clustering=clustering)
        carried(governed, candidate.columns, about=candidate.name)
        found[candidate.name] = governed
    return found
