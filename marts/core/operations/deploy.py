"""Deploy a project as scheduled tasks, which run without marts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from zoneinfo import available_timezones

from marts.core.analysis.reliance import Reliance
from marts.core.authoring.checks import tables_read
from marts.core.authoring.expressions import FixedAsOf
from marts.core.errors import UsageError, did_you_mean
from marts.core.operations import wiring
from marts.core.operations.cron import cron_of
from marts.core.operations.proofs import requirement
from marts.core.operations.wiring import Linked
from marts.core.plan.dated import DAYS
from marts.core.plan.queries import Queries
from marts.core.plan.schedule import Schedule
from marts.core.plan.scheduling import scheduled
from marts.core.plan.source_checks import SourceCheckOptions, source_checks
from marts.core.plan.state import EngineState, TableState, declared_state
from marts.core.project.graph import Graph
from marts.core.project.settings import SNOWFLAKE, Settings
from marts.core.run.backend import Backend
from marts.core.run.deployment import Deployed, Deployer, GraphState, Timing


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a caller says of a schedule; None leaves it as it is deployed."""

    cron: str | None = None
    timezone: str | None = None
    warehouse: str | None = None
    serverless: str | None = None
    accept_unproven: tuple[str, ...] = ()
    reason: str | None = None


def schedule_script(settings: Settings, wanted: Wanted, *, project: Linked | None = None) -> str:
    """Return the script that deploys the project into an empty schema; connect to nothing.

    Sources are assumed to be as they are declared, optional ones too. Raises UsageError for what
    tasks cannot do, and DefinitionError for a definition that needs the date when it is compiled.
    """
    from backends import factory

    refuse_other_engine(settings)
    graph, selected, reliance = wiring.selected(settings, project)
    state = declared_state(graph.project, sources=graph.project.sources)
    return factory.schedule_script(
        settings,
        list(schedules_of(graph, selected, reliance, state)),
        timing_of(wanted),
        sources=wiring.contracts_of(graph),
        version=wiring.version_of_marts(),
    )


def deploy(
    settings: Settings, wanted: Wanted, *, project: Linked | None = None
) -> Sequence[Deployed]:
    """Deploy the project's marts into the account, and start their schedules.

    Raises UsageError for what tasks cannot do and for marts that are not proven if the settings ask
    for proofs, SourceError for sources that do not fit, EngineError if the account refuses.
    """
    from backends import factory

    refuse_other_engine(settings)
    graph, selected, reliance = wiring.selected(settings, project)
    with wiring.connected(graph, settings, read_only=False) as backend:
        deployer = factory.deployer(settings, backend, version=wiring.version_of_marts())
        known = deployer.timing(
            graph.project.package,
            cron=wanted.cron,
            timezone=wanted.timezone,
            warehouse=wanted.warehouse,
        )
        timing = timing_of(
            replace(
                wanted,
                cron=known["cron"],
                timezone=known["timezone"],
                warehouse=known["warehouse"],
            )
        )
        names = sorted(_sources_of(graph, selected, reliance))
        found = backend.describe_sources([n for n in graph.project.sources if n in names])
        # What is known of the rows today must not leave out a check of other days.
        sources = {name: TableState(s.types, misfits=s.misfits) for name, s in found.items()}
        state = EngineState(sources=sources, source_location=backend.source_location)
        schedules = list(schedules_of(graph, selected, reliance, state))
        proofs = _proofs(settings, wanted, graph, backend, schedules, state)
        return deployer.deploy([replace(each, proofs=proofs) for each in schedules], timing)


def _sources_of(graph: Graph, selected: Collection[str], reliance: Reliance) -> set[str]:
    """Return the sources that marts or checks of marts or sources may read."""
    found = graph.sources_read(graph.related(selected))
    found = {*found, *reliance.columns_of_sources(selected)}
    checks = (check for name in found for check in graph.project.sources[name].checks)
    return {*found, *(n for check in checks for n in tables_read(check))} & {*graph.project.sources}


def _proofs(
    settings: Settings,
    wanted: Wanted,
    graph: Graph,
    backend: Backend,
    schedules: Sequence[Schedule],
    state: EngineState,
) -> dict[str, str]:
    """Return what is recorded of the proof of each mart; refuse those that are not proven.

    A scheduled query is the run's, in which the date is a parameter: it differs in nothing else.
    """
    asked = requirement(
        settings, graph, backend, accepted=wanted.accept_unproven, reason=wanted.reason
    )
    if asked is None:
        return {}
    names = [each.name for schedule in schedules for each in schedule.published]
    queries = Queries(graph.project, state, FixedAsOf(DAYS[0]), backend.compile)
    asked.refuse_unproven(names, queries, DAYS[0], state.sources)
    return {name: asked.stamp(name).to_text() for name in names}


@contextmanager
def _deployer(settings: Settings) -> Iterator[tuple[Deployer, str]]:
    """Connect without the project, which may be broken; yield the package, too."""
    from backends import factory

    refuse_other_engine(settings)
    package = wiring.package_of(settings)
    version = wiring.version_of_marts()
    backend = factory.snowflake(settings, sources={}, version=version)
    try:
        yield factory.deployer(settings, backend, version=version), package
    finally:
        backend.close()


def suspend(settings: Settings) -> Sequence[str]:
    """Let no scheduled run begin any more; return the names of the root tasks."""
    with _deployer(settings) as (deployer, package):
        return deployer.suspend(package)


def remove(settings: Settings) -> Sequence[str]:
    """Drop the tasks and procedures of the package; return their names. Marts stay."""
    with _deployer(settings) as (deployer, package):
        return deployer.remove(package)


def state_of(settings: Settings) -> GraphState:
    """Return the tasks of the package, and its last runs by tasks."""
    with _deployer(settings) as (deployer, package):
        return deployer.state(package)


def schedules_of(
    graph: Graph, selected: tuple[str, ...], reliance: Reliance, state: EngineState
) -> Iterator[Schedule]:
    """Yield the schedule of each group; `state` has the sources that exist."""
    from backends.factory import dialects

    (compile_,) = (each.compile for each in dialects() if each.name == SNOWFLAKE)
    for group in graph.groups:
        if group.reads:
            raise UsageError(
                f"group {group.name} reads marts of {', '.join(group.reads)}",
                "each group is a graph of tasks of its own, and no graph waits for another",
                hint="put them into one group, or schedule `marts run` itself",
            )
        own = graph.within(group.name)
        kept = group.marts & {*selected}
        names = [name for name in graph.order if name in kept]
        if not names:
            continue
        options = SourceCheckOptions(accept_shrink=True)
        checks = source_checks(own, reliance, state, options, own.built_with(names))
        found = scheduled(own, names, state, checks, compile_)
        _refuse_left_out(graph, found)
        yield found


def _refuse_left_out(graph: Graph, found: Schedule) -> None:
    """Raise UsageError for marts that a schedule reads and does not build: no moment pins them."""
    queries = [*(each.query for each in found.marts), *(each.query for each in found.checks)]
    read = {name for query in queries for name in query.names}
    built = {each.name for each in found.marts}
    if left_out := sorted((read & graph.project.marts.keys()) - built):
        raise UsageError(
            f"scheduled marts read {', '.join(left_out)}, which the settings exclude",
            "another run could publish them while a scheduled one reads them",
            hint="take them out of exclude, or schedule `marts run` itself",
        )


def refuse_other_engine(settings: Settings) -> None:
    """Raise UsageError for an engine that runs no tasks."""
    if settings.backend != SNOWFLAKE:
        raise UsageError(
            f"tasks are a thing of Snowflake, but the engine is {settings.backend}",
            hint=f"pass --backend {SNOWFLAKE}; elsewhere, schedule `marts run` with cron",
        )


def timing_of(wanted: Wanted) -> Timing:
    """Return when and on what a schedule runs. Raises UsageError for what cannot be."""
    cron, zone = wanted.cron, wanted.timezone or "UTC"
    if cron is None:
        raise UsageError(
            "no schedule is given, and none is deployed",
            hint='say when to run: --schedule "0 3 * * *" --timezone America/New_York',
        )
    cron = cron_of(cron)
    if zone not in available_timezones():
        raise UsageError(
            f"--timezone {zone}: there is no such time zone",
            hint=did_you_mean(zone, available_timezones())
            or "write it like this: --timezone America/New_York",
        )
    if wanted.serverless is None and wanted.warehouse is None:
        raise UsageError(
            "no warehouse is named for the tasks",
            hint="pass --warehouse NAME, or --serverless XSMALL",
        )
    return Timing(
        cron=cron,
        timezone=zone,
        warehouse=None if wanted.serverless else wanted.warehouse,
        serverless=wanted.serverless,
    )
