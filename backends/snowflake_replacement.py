"""Prepare a published table for new rows, or replace it, so that what governs it stays the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from backends import snowflake_ddl as ddl
from backends.snowflake_candidates import Candidate
from backends.snowflake_governance import Governance, carried, granted, kept_by_view, put_on
from backends.snowflake_keys import Key, drop_key
from backends.snowflake_shape import Changes, Shape, additive_statements
from marts.core.plan.state import Materialized


def new_columns(candidate: Candidate, found: Changes, built: Shape) -> Collection[str]:
    """Return the columns that `preparation` adds to a target: all of one that is missing."""
    if candidate.kind == "view" or found.replaced:
        return ()
    return built.columns if found.missing else [column.name for column in found.added]


def preparation(
    candidate: Candidate,
    target: str,
    found: Changes,
    built: Shape,
    *,
    key: Key | None,
    protected: Governance,
) -> Iterator[str]:
    """Yield the statements that make a target fit for the transaction: nothing for a view.

    A missing table is created empty. `protected` is for the new columns, in which no row has a
    value yet; `key` is the target's declared one.
    """
    if candidate.kind == "view" or found.replaced:
        return
    if found.missing:
        yield ddl.create_target(
            target,
            {name: column.type for name, column in built.columns.items()},
            comment=candidate.comment,
            column_comments=candidate.column_comments,
        )
    # The optimizer relies on a declared key, which may not hold for the new rows.
    yield from drop_key(target, key, candidate.key)
    yield from additive_statements(target, found)
    yield from put_on(protected, target)


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
    # A clone inherits the retention that is set on its source, and a candidate has none.
    yield ddl.keep_history(candidate.qualified)
    if existing == "view":
        # The clone has no target to copy grants from, so that it copies those of its source.
        yield from granted(left, candidate.qualified, "table")
        yield ddl.drop(existing, target)
    yield ddl.replace_by_clone(target, candidate.qualified)
