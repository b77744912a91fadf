"""Build candidates: in a run, or temporarily to query them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from marts.core.authoring.signature import naming
from marts.core.authoring.tables import DEFAULT_GROUP, checked_key
from marts.core.plan.state import CompiledQuery, PlannedTable
from marts.core.plan.steps import Build, Plan

if TYPE_CHECKING:
    from marts.core.run.backend import Backend


@contextmanager
def built(plan: Plan, backend: Backend, *, run_id: str) -> Iterator[None]:
    """Build a plan's candidates, unchecked and unpublished, and drop them at the end."""
    try:
        begin(plan, backend, run_id=run_id)
        for step in plan.builds:
            build(step, compiled(step, backend), backend)
        yield
    finally:
        backend.discard()


def begin(plan: Plan, backend: Backend, *, run_id: str, goes_on: bool = False) -> None:
    """Prepare an engine to build a plan's candidates; the run may go on with other groups."""
    names = [step.mart.name for step in plan.builds]
    backend.begin(run_id, names, group=plan.group or DEFAULT_GROUP, goes_on=goes_on)


def compiled(step: Build, backend: Backend) -> CompiledQuery:
    """Return the query of a step in the engine's SQL, compiled now if planning did not need it.

    Raises DefinitionError for an expression that is nested too deeply to compile.
    """
    with naming(f"mart {step.mart.name}", step.mart.location):
        return step.compiled or backend.compile(step.query)


def planned_tables(plan: Plan, backend: Backend) -> tuple[PlannedTable, ...]:
    """Return the marts that a plan publishes, as an engine must know them beforehand."""
    return tuple(
        PlannedTable(
            step.mart.name,
            step.mart.materialized,
            step.query.schema(),
            compiled(step, backend),
            checked_key(step.mart),
        )
        for step in plan.builds
        if not step.mart.is_temporary
    )


def build(step: Build, query: CompiledQuery, backend: Backend) -> None:
    """Build the candidate of one step."""
    mart = step.mart
    backend.build(
        mart.name,
        query,
        kind=mart.materialized,
        comment=mart.comment,
        column_comments=step.column_comments,
        key=() if mart.unchecked else mart.grain,
    )
