"""Worlds that hypothesis draws in the tests of a project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from marts.core.api.project import Project
from marts.core.console import extras
from marts.core.kit.tables import Day, day_of
from marts.core.project.proof_modules import for_proof
from marts.core.proof.worlds import World

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def worlds(project: Project, *, dates: Sequence[Day] = ()) -> SearchStrategy[World]:
    """Return a hypothesis strategy of small worlds: `tables` of the sources, and a date, `as_of`.

    The rows meet the thresholds of the marts' expressions, and the checks of severity error of the
    sources hold; what only warns may be broken. They have the values of the strategies that the
    project declares. The date is one of `dates`, by default ends of months and years. Raises
    UsageError if hypothesis is not installed, and DefinitionError for a wrong strategy.
    """
    from backends.factory import worlds_on_duckdb

    try:
        from marts.core.proof.drawing import DATES, drawn_worlds
    except ImportError as error:
        raise extras.explained(error, what="drawing worlds") from error
    graph = project.linked.graph
    return drawn_worlds(
        graph,
        worlds_on_duckdb(),
        for_proof(graph.project, project.settings),
        dates=[day_of(each) for each in dates] or DATES,
    )
