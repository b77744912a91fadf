"""A shop that is brought up to date, run after run, while its data and code change."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any

import ibis

from backends.duckdb import DuckDBBackend
from marts import Table
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart
from marts.core.plan.changes import plan_changes
from marts.core.plan.fingerprint import CurrentInputs
from marts.core.project.graph import Graph
from marts.core.run.inspection import inspect_engine
from marts.core.run.report import Report
from marts.core.run.runner import run
from support.workshop import (
    AS_OF,
    SHOP,
    Observed,
    Workshop,
)

PAID, TOTALS, MODELS, OVERVIEW = SHOP.order


@dataclass
class Updates:
    """A shop that is brought up to date, run after run."""

    shop: Workshop
    runs: int = 0
    reasons: dict[str, str] = field(default_factory=dict)
    toolchain: str | None = None

    def update(
        self,
        *,
        as_of: datetime.date = AS_OF,
        selected: Collection[str] = (),
        checks_sources: bool = True,
        through: Callable[[DuckDBBackend], Any] = lambda backend: backend,
        **options: Any,
    ) -> Report:
        """Build what is not up to date; remember why."""
        graph = self.shop.graph
        chosen = tuple(name for name in graph.order if name in (selected or graph.order))
        self.runs += 1
        with self.shop.backend() as backend:
            state = inspect_engine(graph, chosen, backend)
            current = CurrentInputs(
                graph,
                state,
                FixedAsOf(as_of),
                backend.compile,
                checks_sources=checks_sources,
                toolchain=self.toolchain,
            )
            run_id = f"run {self.runs}"
            plan = plan_changes(graph, chosen, current, run_id=run_id, **options)
            self.reasons = dict(plan.reasons)
            return run(plan, through(backend), run_id=run_id, observer=Observed())


def edited(graph: Graph, name: str, edit: Callable[[Mart], Mart]) -> Graph:
    """Return the graph with another definition of a mart."""
    marts = graph.project.marts | {name: edit(graph.project.marts[name])}
    return replace(graph, project=replace(graph.project, marts=marts))


def all_gold(mart: Mart) -> Mart:
    """Return the mart of totals with every customer in one tier."""

    def define(*inputs: Table) -> Table:
        return mart.define(*inputs).mutate(tier=ibis.literal("gold"))

    return replace(mart, define=define)


def as_table(mart: Mart) -> Mart:
    """Return the mart as a table."""
    return replace(mart, materialized="table")


def as_view(mart: Mart) -> Mart:
    """Return the mart as a view."""
    return replace(mart, materialized="view")


def as_temporary(mart: Mart) -> Mart:
    """Return the mart as a temporary."""
    return replace(mart, materialized="temporary")


PAID_IS_A_TABLE = edited(edited(SHOP, PAID, as_table), MODELS, as_view)
PAID_IS_TEMPORARY = edited(SHOP, PAID, as_temporary)


@dataclass
class Watched:
    """A backend, and something that happens before the n-th thing that it does for a run."""

    at: int
    happen: Callable[[], None]
    done: int = 0

    @property
    def has_happened(self) -> bool:
        """Tell whether the run did so many things."""
        return 0 < self.at <= self.done

    def over(self, backend: DuckDBBackend) -> Watched:
        """Stand between a run and its engine."""
        self.inner = backend
        return self

    def __getattr__(self, name: str) -> Any:
        # Between the last look at the sources and publishing, nobody looks.
        if name in ("build", "fetch", "changed_sources"):
            self.done += 1
            if self.done == self.at:
                self.happen()
        return getattr(self.inner, name)
