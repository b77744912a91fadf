"""Check what is published, or the sources."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace

from marts.core.analysis import invariant_lineage
from marts.core.errors import UsageError
from marts.core.operations import wiring
from marts.core.operations.prepared import Prepared
from marts.core.operations.wiring import Linked
from marts.core.plan.fingerprint import CurrentInputs
from marts.core.plan.planner import exempted, plan_checks
from marts.core.plan.up_to_date import deferred_for_checks
from marts.core.project.settings import Settings
from marts.core.query.invariant_checks import with_invariants
from marts.core.run.backend import Backend
from marts.core.run.files import prepare
from marts.core.run.inspection import inspect_engine
from marts.core.run.recording import Recorder


@contextmanager
def prepared_test(
    settings: Settings,
    *,
    sources: bool = False,
    invariants: bool = False,
    project: Linked | None = None,
) -> Iterator[Prepared]:
    """Plan checks of the published marts, or of the sources; close the connection at the end.

    With `invariants`, also check how marts would respond to changes of their sources. The project
    is loaded unless it is given. Raises MartsError for what makes the checks impossible.
    """
    graph, selected, reliance = wiring.selected(settings, project)
    if not settings.select:
        # A temporary mart is built and checked only if it is named.
        selected = tuple(n for n in selected if not graph.project.marts[n].is_temporary)
    unreached: Collection[tuple[str, str]] = ()
    if invariants:
        unreached = invariant_lineage.unreached(graph, reliance.queries)
        graph = with_invariants(graph, without=unreached)
    if sources:
        selected = ()
    prepare(settings.target)
    with wiring.connected(graph, settings, read_only=True) as backend:
        as_of = wiring.as_of(
            settings,
            lambda: (
                published_as_of(backend, graph.project.package, selected) or backend.data_as_of()
            ),
        )
        state = inspect_engine(graph, selected, backend, source_checks=sources)
        if state.elsewhere:
            if not settings.select:
                # The others are published there, and are tested there.
                selected = tuple(name for name in selected if name in state.published)
            current = CurrentInputs(graph, state, as_of, backend.compile, checks_sources=False)
            state = deferred_for_checks(current, selected)
        plan = plan_checks(graph, selected, state, as_of, source_checks=sources)
        if invariants:
            exempt = exempted(graph, selected, unreached)
            plan = replace(plan, skipped=(*plan.skipped, *exempt))
        recorder = Recorder(backend, wiring.run_id())
        yield Prepared(
            graph=graph,
            plan=plan,
            backend=backend,
            recorder=recorder,
            target=settings.target,
            environment=settings.env,
        )


def published_as_of(
    backend: Backend, package: str, selected: tuple[str, ...]
) -> datetime.date | None:
    """Return the as-of date of the published marts among the selected, None if there are none."""
    dates = {
        row.as_of
        for row in backend.state()
        if row.as_of and row.name in selected and row.package in (package, None)
    }
    if len(dates) > 1:
        days = ", ".join(str(day) for day in sorted(dates))
        raise UsageError(
            f"the published marts have different as-of dates: {days}",
            hint="pass --as-of, select marts of one date, or run all again",
        )
    return dates.pop() if dates else None
