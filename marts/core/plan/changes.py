"""Which marts must be rebuilt, and why: compares them with what they were made from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from marts.core.authoring.checks import FreshCheck, tables_read
from marts.core.authoring.columns import personal_in
from marts.core.authoring.tables import Mart, checked_key, checks_of, column_comments
from marts.core.errors import UsageError, did_you_mean
from marts.core.plan.fingerprint import CurrentInputs
from marts.core.plan.planner import plan_run
from marts.core.plan.source_checks import SourceChecks
from marts.core.plan.state import Annotation
from marts.core.plan.steps import Build, CheckTable, Plan, PlannedPublication, Step, needs
from marts.core.plan.up_to_date import (
    outdated_among,
    outdated_elsewhere,
    reason_of_proof,
    reasons_of,
)
from marts.core.project.graph import Graph
from marts.core.query.checks import fused_query


def plan_changes(  # noqa: PLR0913  (what a caller of `marts run` may want)
    graph: Graph,
    selected: Collection[str],
    current: CurrentInputs,
    *,
    run_id: str,
    force: bool = False,
    source_checks: Callable[[Collection[str]], SourceChecks] | None = None,
    adopt: Collection[str] = (),
    drop_orphans: bool = False,
    is_last: bool = True,
) -> Plan:
    """Plan to build, check and publish the selected marts that are not up to date.

    The marts are of the graph's group, or temporary. Drops come with the last group of a run.

    Published views that read a rebuilt mart are rebuilt, too. Temporary marts are built for their
    readers; if nothing else is selected, they are built and checked. `source_checks` returns the
    checks of sources that given marts rely on; if nothing is built, only the error-level ones are
    made that have not been made of this version of a source.

    With another environment, a mart that is not selected is read there if it is up to date there
    and not here; a view is refused that would do so. Raises what `plan_run` does, and UsageError if
    a mart that is read as published is not up to date, or if a table with a mart's name is neither
    recorded as this package's nor in `adopt`.
    """
    marts = graph.project.marts
    outdated_there = outdated_elsewhere(current, selected)
    reasons = _reasons_to_build(current, selected, outdated_there, force=force)
    state, building = current.state, tuple(reasons)
    if all(marts[name].is_temporary for name in selected):
        building = tuple(selected)
    _refuse_outdated(current, selected, building, outdated_there)
    _refuse_views_of_others(current, selected, building)
    refuse_unknown_marts("--adopt", adopt, graph)
    _refuse_tables_of_others(current, building, adopt)
    due = source_checks((*selected, *building)) if source_checks else None
    if due and not building:
        due = due.that_must_hold()
    plan = plan_run(
        graph,
        building,
        state,
        current.as_of,
        source_checks=due or False,
        outdated=_outdated_in_checks(current, building),
        queries=current.queries,
    )
    unchanged = tuple(n for n in selected if n not in reasons and not marts[n].is_temporary)
    temporary = {name for name, mart in marts.items() if mart.is_temporary and is_last}
    orphans = tuple(name for name in state.recorded if name not in marts and is_last)
    drops = (*sorted(state.recorded.keys() & temporary), *(orphans if drop_orphans else ()))
    return replace(
        plan,
        steps=(
            *_fingerprinted(plan, current, reasons, run_id),
            *_checks_of_freshness(current, unchanged),
        ),
        publication=_publication(plan, drops),
        reasons=reasons,
        unchanged=unchanged,
        orphans=() if drop_orphans else orphans,
        group=graph.own_group,
        sources=_sources_that_must_stay(plan, graph),
        live=_sources_of_views(plan, graph),
        annotations=_annotations(graph, {*selected, *reasons}),
        proofs=current.proofs_of(dict.fromkeys((*selected, *reasons))),
    )


def _sources_that_must_stay(plan: Plan, graph: Graph) -> frozenset[str] | None:
    """Return the sources that a run of one of several groups reads; None for a single group."""
    if graph.group is None:
        return None
    read = {name for step in plan.steps for name in needs(step)}
    if not plan.builds and plan.source_checks:
        read.update(plan.source_checks.sources)
    return frozenset(read & graph.project.sources.keys())


def _sources_of_views(plan: Plan, graph: Graph) -> frozenset[str]:
    """Return the sources of the published views that steps read, also through other views."""
    marts, built = graph.project.marts, {step.mart.name for step in plan.builds}
    waiting, found = {name for step in plan.steps for name in needs(step)} - built, set[str]()
    while waiting:
        views = [name for name in waiting if name in marts and marts[name].materialized == "view"]
        waiting = {each for name in views for each in marts[name].inputs} - found - built
        found |= waiting
    return frozenset(found & graph.project.sources.keys())


def _annotations(graph: Graph, names: Collection[str]) -> tuple[Annotation, ...]:
    marts = (graph.project.marts[name] for name in graph.order if name in names)
    return tuple(_annotation(mart) for mart in marts if not mart.is_temporary)


def _annotation(mart: Mart) -> Annotation:
    return Annotation(
        mart.name,
        mart.materialized,
        mart.comment,
        column_comments(mart),
        checked_key(mart),
        personal_in(mart.columns),
    )


def with_reshapes(plan: Plan, graph: Graph, names: Collection[str]) -> Plan:
    """Return a plan that may change the columns, types or kind of some marts for their readers.

    Raises UsageError for a name that no published mart has.
    """
    refuse_unknown_marts("--reshape", names, graph)
    return replace(plan, reshapes=frozenset(names))


def _fingerprinted(
    plan: Plan, current: CurrentInputs, reasons: Collection[str], run_id: str
) -> Iterator[Step]:
    """Yield a plan's steps, with fingerprints in those that build published marts."""
    runs = {name: found.run_id for name, found in current.state.recorded.items()}
    runs |= dict.fromkeys(reasons, run_id)
    for step in plan.steps:
        if isinstance(step, Build) and step.mart.name in reasons:
            yield replace(step, fingerprint=current.fingerprint(step.mart.name, runs))
        else:
            yield step


def _checks_of_freshness(current: CurrentInputs, unchanged: Iterable[str]) -> Iterator[Step]:
    """Yield the checks of marts that are not built but have become older."""
    for mart in (current.graph.project.marts[name] for name in unchanged):
        checks = tuple(check for check in checks_of(mart) if isinstance(check, FreshCheck))
        if checks:
            table = current.queries.tables[mart.name]
            yield CheckTable(mart, checks, fused_query(mart, table, checks))


def _publication(plan: Plan, drops: tuple[str, ...]) -> PlannedPublication | None:
    """Return what is published, if anything: marts, drops, or the results of source checks."""
    published = plan.publication.marts if plan.publication else ()
    builds_only_temporary = bool(plan.builds) and not published
    checks_sources = plan.source_checks and plan.source_checks.are_remembered
    if published or drops or (checks_sources and not builds_only_temporary):
        return PlannedPublication(published, drops)
    return None


def _reasons_to_build(
    current: CurrentInputs,
    selected: Collection[str],
    outdated_there: Collection[str],
    *,
    force: bool,
) -> dict[str, str]:
    """Return the marts that must be built, each with the reason, in build order.

    From now on, what is up to date only in the other environment is read there.
    """
    graph, state = current.graph, current.state
    judged = graph.related(selected) if state.elsewhere else graph.upstream(*selected)
    reasons: dict[str, str] = {}
    outdated: set[str] = set()
    for name in graph.order:
        mart = graph.project.marts[name]
        if mart.is_temporary:
            continue
        reason: str | None = None
        if name in selected:
            rebuilt = reasons.keys() | outdated
            reason = "forced" if force else next(reasons_of(current, name, rebuilt), None)
            reason = reason or reason_of_proof(current, name)
        elif mart.materialized == "view" and name in state.published:
            # The rows of a view change with those of the table, so this run must check them.
            reason = next((f"{each} changed" for each in mart.inputs if each in reasons), None)
        if reason:
            reasons[name] = reason
        elif name in judged and any(reasons_of(current, name, reasons.keys() | outdated)):
            if state.elsewhere and name not in outdated_there:
                current.defer(name)
            else:
                outdated.add(name)
    return reasons


def _refuse_outdated(
    current: CurrentInputs,
    selected: Collection[str],
    building: Collection[str],
    outdated_there: Mapping[str, str],
) -> None:
    """Refuse to read a published mart that is not up to date with what is built now."""
    graph, state = current.graph, current.state
    known = graph.project.marts if state.elsewhere else state.published
    outdated: dict[str, str] = {}
    reader: dict[str, str] = {}
    while True:
        together = [name for name in graph.order if name in {*building, *outdated}]
        reads = graph.read_as_published(together)
        new = outdated_among(current, [name for name in reads if name in known], together)
        if not new:
            break
        outdated |= new
        reader |= {name: reads[name] for name in new}
    if not outdated:
        return
    command = _command(current, {*selected, *outdated})
    if state.elsewhere is None:
        raise UsageError(
            "the selection reads published marts that are not up to date",
            *(f"{reader[name]} reads {name}: {reason}" for name, reason in outdated.items()),
            hint=f"build them together: {command}",
        )
    env = state.elsewhere.environment
    has_other_sources = any("source " in outdated_there.get(name, "") for name in outdated)
    provided = f", if {env} reads the same data" if has_other_sources else ""
    raise UsageError(
        f"the selection reads marts that are up to date neither here nor in {env}",
        *(
            f"{reader[name]} reads {name}: {reason} here; {outdated_there[name]} in {env}"
            for name, reason in outdated.items()
        ),
        f"{env} is {state.elsewhere.where}",
        hint=f"build them together: {command}\n"
        f"  or publish them there first{provided}: marts run --env {env}",
    )


def _command(current: CurrentInputs, names: Collection[str]) -> str:
    """Return the command that builds marts together, those that are not temporary."""
    graph, there = current.graph, current.state.elsewhere
    is_temporary = {name: mart.is_temporary for name, mart in graph.project.marts.items()}
    exact = [f"-s {n}" for n in graph.order if n in names and not is_temporary[n]]
    recorded, day = current.state.recorded, current.as_of.day
    # Where several dates are published, the command must not leave it to a default which is meant.
    is_of_another = any(recorded[n].as_of not in (None, day) for n in names if n in recorded)
    options = [
        *([f"--defer {there.environment}"] if there else []),
        *([f"--as-of {day}"] if is_of_another else []),
    ]
    return " ".join(["marts run", *options, *exact])


def _refuse_views_of_others(
    current: CurrentInputs, selected: Collection[str], building: Collection[str]
) -> None:
    """Refuse to publish a view that reads another environment: its rows would change with that."""
    marts, state = current.graph.project.marts, current.state
    found = dict[str, list[str]]()
    waiting = [name for name in building if marts[name].materialized == "view"]
    while waiting:
        view = waiting.pop()
        if view not in found and (read := [n for n in marts[view].inputs if n in state.deferred]):
            found[view] = read
            # Built together with it, these views are refused for the same reason.
            waiting += [name for name in read if marts[name].materialized == "view"]
    if found and state.elsewhere:
        env, more = state.elsewhere.environment, {n for read in found.values() for n in read}
        raise UsageError(
            f"a view must not read marts of another environment: it would change with {env}",
            *(f"the view {view} reads {n} in {env}" for view, read in found.items() for n in read),
            hint=f"build them together: {_command(current, {*selected, *more})}",
        )


def _outdated_in_checks(current: CurrentInputs, building: Collection[str]) -> set[str]:
    """Return the outdated marts that are read with the built ones by checks of other marts."""
    graph, state = current.graph, current.state
    read = {
        name
        for owner, check in graph.wide_checks(building)
        for name in {owner.name, *tables_read(check)} - {*building}
        if name in state.published
    }
    return set(outdated_among(current, read, building))


def refuse_unknown_marts(option: str, names: Iterable[str], graph: Graph) -> None:
    """Raise UsageError for a name in an option's value that no published mart has."""
    marts = graph.project.marts
    for name in names:
        if name not in marts or marts[name].is_temporary:
            raise UsageError(
                f"{option} {name}: there is no such mart",
                hint=did_you_mean(name, marts) or "`marts ls` lists the marts",
            )


def _refuse_tables_of_others(
    current: CurrentInputs, building: Iterable[str], adopt: Collection[str]
) -> None:
    marts, state = current.graph.project.marts, current.state
    not_ours = [
        name
        for name in building
        if name in state.published
        and not marts[name].is_temporary
        and (name not in state.recorded or name in state.foreign)
        and name not in adopt
    ]
    if not_ours:
        raise UsageError(
            f"{', '.join(not_ours)}: not recorded as made by {current.graph.project.package};"
            " nothing was built",
            *(
                f"{n} was made by the package {state.foreign[n]}"
                for n in not_ours
                if n in state.foreign
            ),
            hint="rename or drop the table, use another --schema, or adopt it:"
            f" {' '.join(f'--adopt {name}' for name in not_ours)}",
        )
