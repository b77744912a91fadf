"""Build, check and publish."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from marts.core.operations import wiring
from marts.core.operations.prepared import Prepared
from marts.core.plan.changes import plan_changes, with_reshapes
from marts.core.plan.findings import findings_of, findings_of_views
from marts.core.plan.fingerprint import CurrentInputs
from marts.core.plan.source_checks import SourceCheckOptions, source_checks
from marts.core.project.settings import Settings
from marts.core.run.artifacts import prepare
from marts.core.run.building import planned_tables
from marts.core.run.inspection import inspect_engine


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a run may do besides building what is not up to date."""

    checks_sources: bool = True
    accept_shrink: bool = False
    """Publish even if a source has lost half of its rows."""
    force: bool = False
    """Build marts that are up to date, too."""
    adopt: tuple[str, ...] = ()
    """The marts that may replace a table that is not recorded as made by the package."""
    drop_orphans: bool = False
    """Drop published marts that no longer exist."""


@contextmanager
def prepared_run(
    settings: Settings, options: RunOptions, *, dry_run: bool, warn: Callable[[str], None]
) -> Iterator[Prepared]:
    """Plan a run on the connected engine; the connection is closed at the end.

    The run is recorded, however it ends, and `warn` is told if it cannot be. A dry run is not
    recorded, and its connection can only read.

    Raises MartsError for what makes a run impossible.
    """
    graph, selected, reliance = wiring.selected(settings)
    if not dry_run:
        prepare(settings.target)
    wanted = SourceCheckOptions(
        source_checks=options.checks_sources, accept_shrink=options.accept_shrink
    )
    with (
        wiring.connected(graph, settings, read_only=dry_run) as backend,
        wiring.recorded(graph, settings, backend, dry_run=dry_run, warn=warn) as recorder,
    ):
        as_of = wiring.as_of(settings, backend.data_as_of)
        recorder.planned(as_of.day)
        state = inspect_engine(graph, selected, backend, also=reliance.columns_of_sources(selected))
        plan = plan_changes(
            graph,
            selected,
            CurrentInputs(
                graph, state, as_of, backend.compile, checks_sources=wanted.source_checks
            ),
            run_id=recorder.run_id,
            force=options.force,
            source_checks=partial(source_checks, graph, reliance, state, wanted),
            adopt=options.adopt,
            drop_orphans=options.drop_orphans,
        )
        # A table that is adopted is replaced, whatever its columns are.
        plan = with_reshapes(plan, graph, {*settings.reshape, *options.adopt})
        changes = backend.shape_changes(planned_tables(plan, backend), acknowledged=plan.reshapes)
        findings = (*findings_of(graph.project, plan), *findings_of_views(graph.project, plan))
        yield Prepared(
            graph=graph,
            plan=plan,
            backend=backend,
            recorder=recorder,
            target=settings.target,
            findings=findings,
            changes=tuple(changes),
        )
