"""Lint findings: what engines would compute differently in the queries of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from marts.core.analysis.lint import Subject, lint_all, views_of_sources
from marts.core.analysis.rules import NOT_REPEATABLE, Finding
from marts.core.errors import DefinitionError
from marts.core.plan.steps import Build, CheckTable, Plan
from marts.core.project.loading import Declarations


def findings_of(project: Declarations, plan: Plan) -> tuple[Finding, ...]:
    """Return what `marts compile` warns of in the marts and checks of a plan."""
    return lint_all(tuple(_subjects(plan)), project, plan.tables, plan.as_of)


def findings_of_views(project: Declarations, plan: Plan) -> tuple[Finding, ...]:
    """Return the public views over sources that a plan builds."""
    return views_of_sources(project, (step.mart for step in plan.builds))


def refuse_not_repeatable(findings: Iterable[Finding]) -> None:
    """Raise DefinitionError for an expression that differs from run to run."""
    for found in findings:
        if found.rule in NOT_REPEATABLE:
            raise DefinitionError(
                f"{found.table}: {found.message}", found.location, hint=found.hint
            )


def _subjects(plan: Plan) -> Iterator[Subject]:
    for step in plan.steps:
        match step:
            case Build(mart, query):
                yield Subject(mart, query)
            case CheckTable(table, checks, query):
                yield Subject(table, query, checks, is_fused=step.is_fused)
            case _:
                assert_never(step)
