"""Build, check and publish."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from marts.core.operations import wiring
from marts.core.operations.planning import RunPlanner
from marts.core.operations.prepared import Prepared
from marts.core.operations.proofs import requirement
from marts.core.operations.run_options import RunOptions as RunOptions  # noqa: PLC0414
from marts.core.operations.wiring import Linked
from marts.core.plan.steps import Plan
from marts.core.project.settings import Settings
from marts.core.run.files import prepare


@contextmanager
def prepared_run(
    settings: Settings,
    options: RunOptions,
    *,
    dry_run: bool,
    warn: Callable[[str], None],
    project: Linked | None = None,
) -> Iterator[Prepared]:
    """Plan a run on the connected engine; the connection is closed at the end.

    The run is recorded, however it ends, and `warn` is told if it cannot be. A dry run is not
    recorded, and its connection can only read. The project is loaded unless it is given.

    Raises MartsError for what makes a run impossible.
    """
    graph, selected, reliance = wiring.selected(settings, project)
    if not dry_run:
        prepare(settings.target)
    with (
        wiring.connected(graph, settings, read_only=dry_run) as backend,
        wiring.recorded(graph, settings, backend, dry_run=dry_run, warn=warn) as recorder,
    ):
        # Before anything is compiled: the compilers must be as they were installed.
        toolchain = wiring.toolchain_of(settings)
        as_of = wiring.as_of(settings, backend.data_as_of)
        recorder.planned(as_of.day)
        planner = RunPlanner(
            graph,
            selected,
            reliance,
            backend,
            as_of,
            recorder.run_id,
            options,
            reshape=settings.reshape,
            requirement=requirement(
                settings,
                graph,
                backend,
                accepted=options.accept_unproven,
                reason=options.reason,
            ),
            toolchain=toolchain,
        )
        has_groups = len(planner.groups) > 1
        if has_groups:
            planner.refuse_unknown()
        planner.refuse_unproven()
        yield Prepared(
            graph=graph,
            plan=_plan(planner, dry_run=dry_run),
            backend=backend,
            recorder=recorder,
            target=settings.target,
            environment=settings.env,
            findings=tuple(planner.findings),
            changes=tuple(planner.changes),
            planner=planner if has_groups else None,
        )


def _plan(planner: RunPlanner, *, dry_run: bool) -> Plan:
    """Return what is planned beforehand: nothing if groups are planned when their turn comes."""
    groups = planner.groups
    if len(groups) <= 1:
        return planner.plan(groups[0] if groups else None)
    if dry_run:
        return planner.supposed()
    return Plan(planner.graph.project.package, planner.as_of, (), {}, ())
