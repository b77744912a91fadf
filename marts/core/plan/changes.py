"""What must be built again, and why: published marts against what they were made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property

import ibis.expr.types as ir

from marts.core.analysis.lineage import signature
from marts.core.authoring.checks import is_fused, tables_read
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.signature import naming
from marts.core.authoring.tables import Mart, checks_of, column_comments
from marts.core.errors import UsageError, did_you_mean
from marts.core.plan.planner import Queries, across, plan_run, reads_of
from marts.core.plan.source_checks import SourceChecks
from marts.core.plan.state import Facts, Origin
from marts.core.plan.steps import Build, Plan, Publish
from marts.core.project.graph import Graph


def compiled(plan: Plan, compile_: Callable[[ir.Table], str]) -> dict[str, str]:
    """Return the SQL of each mart that a plan builds; DefinitionError for one nested too deeply."""
    statements = {}
    for step in plan.steps:
        if isinstance(step, Build):
            with naming(f"mart {step.mart.name}", step.mart.location):
                statements[step.mart.name] = compile_(step.query)
    return statements


class Present:
    """What a run would make marts from: the project, the sources and the date as they are now.

    `text` gives a query's SQL over bare names: what it computes, wherever its tables are. Where
    `checks_sources` is true, what was made from sources that nobody checked is not up to date.
    """

    def __init__(
        self,
        graph: Graph,
        facts: Facts,
        as_of: FixedAsOf,
        text: Callable[[ir.Table], str],
        *,
        checks_sources: bool = True,
    ) -> None:
        self.graph = graph
        self.facts = facts
        self.as_of = as_of
        self.text = text
        self.checks_sources = checks_sources
        self._digests: dict[str, str] = {}

    @cached_property
    def queries(self) -> Queries:
        """The queries of the project, over the sources that are there."""
        return Queries(self.graph.project, self.facts, self.as_of)

    def sql(self, name: str) -> str:
        """Return a digest of all that defines a mart's rows and its checks.

        That is its SQL, its comments, its checks, how its sources are read, and the same of the
        temporary marts that it reads.
        """
        if name not in self._digests:
            parts = "\n".join(sorted(self._parts(self.graph.project.marts[name])))
            self._digests[name] = hashlib.sha256(parts.encode()).hexdigest()
        return self._digests[name]

    def _parts(self, mart: Mart) -> Iterator[str]:
        project = self.graph.project
        yield json.dumps([mart.materialized, mart.comment, column_comments(mart)])
        with naming(f"mart {mart.name}", mart.location):
            yield self.text(self.queries.of(mart))
        # Which rows a check asks for is told by its expression: its SQL decides no number.
        if step := self.queries.rows(mart):
            with naming(f"a check of {mart.name}", mart.location):
                yield signature(step.query.op())
        for check in checks_of(mart):
            yield f"{check.name} {check.severity} {check.threshold}"
            if not is_fused(check):
                with naming(f"check {check.name} of {mart.name}", mart.location):
                    yield signature(self.queries.across(mart, check).query.op())
        for each in {*mart.inputs, *_read_by_checks(mart)}:
            if each in project.sources:
                # Its own words are no part of how it is read.
                columns = (replace(column, doc="") for column in project.sources[each].columns)
                yield f"{each} {tuple(columns)}"
            elif project.marts[each].is_temporary:
                yield self.sql(each)

    def reasons(self, name: str, rebuilt: Collection[str]) -> Iterator[str]:
        """Yield why a mart is not up to date, `rebuilt` being those that are not either."""
        facts, recorded = self.facts, self.facts.recorded.get(name)
        if name not in facts.published or (recorded and recorded.as_of is None):
            yield "not published"
            return
        origin = Origin.from_text(recorded.origin) if recorded else None
        if recorded is None or origin is None:
            yield "not known what it was made from"
            return
        if recorded.as_of != self.as_of.day:
            yield f"as of {recorded.as_of} before"
        if recorded.version != facts.published[name].version:
            yield "altered since it was published"
        if origin.is_unchecked and self.checks_sources:
            yield "its sources were not checked"
        yield from self._changed_inputs(name, origin, rebuilt)
        if origin.sql != self.sql(name):
            yield "code changed"

    def _changed_inputs(self, name: str, origin: Origin, rebuilt: Collection[str]) -> Iterator[str]:
        facts = self.facts
        for source in sources_of(self.graph, name):
            version = facts.source_version(source)
            if version is None or origin.sources.get(source) != version:
                yield f"source {source} changed"
        for mart in marts_of(self.graph, name):
            run_id = facts.recorded[mart].run_id if mart in facts.recorded else None
            if mart in rebuilt or origin.marts.get(mart) != run_id:
                yield f"{mart} changed"

    def origin(self, name: str, runs: Mapping[str, str]) -> Origin:
        """Return from what a mart is made, `runs` being those of the marts it reads."""
        versions = {each: self.facts.source_version(each) for each in sources_of(self.graph, name)}
        return Origin(
            self.sql(name),
            {source: version for source, version in versions.items() if version is not None},
            {mart: runs[mart] for mart in marts_of(self.graph, name) if mart in runs},
            is_unchecked=not self.checks_sources,
        )


def _read_by_checks(mart: Mart) -> set[str]:
    return set[str]().union(*(tables_read(check) for check in checks_of(mart)))


def sources_of(graph: Graph, name: str) -> list[str]:
    """Return the sources that a mart and its checks read, through temporary marts as well."""
    marts = graph.project.marts
    read = _with_temporaries(graph, name)
    tables = {
        each for mart in read for each in (*marts[mart].inputs, *_read_by_checks(marts[mart]))
    }
    return sorted(tables & graph.project.sources.keys())


def marts_of(graph: Graph, name: str) -> list[str]:
    """Return the published marts that a mart reads, through temporary ones as well."""
    return [each for each in graph.inputs(name) if each in graph.project.marts]


def _with_temporaries(graph: Graph, name: str) -> set[str]:
    """Return a mart, and the temporary ones that it and its checks read."""
    marts = graph.project.marts
    found, waiting = set[str](), [name]
    while waiting:
        mart = marts[waiting.pop()]
        found.add(mart.name)
        read = {*mart.inputs, *_read_by_checks(mart)} & marts.keys()
        waiting += [each for each in read - found if marts[each].is_temporary]
    return found


def plan_changes(
    graph: Graph,
    selected: Collection[str],
    present: Present,
    *,
    run_id: str,
    force: bool = False,
    source_checks: Callable[[Collection[str]], SourceChecks] | None = None,
    adopt: Collection[str] = (),
    drop_orphans: bool = False,
) -> Plan:
    """Plan to build, check and publish those of the selected marts that are not up to date.

    With a mart that is rebuilt, the published views that read it are. Temporary marts are built for
    their readers; where nothing else is selected, they are built and checked. `source_checks` tells
    which checks of sources some marts rely on; where nothing is built, those are made that must
    hold, and were not made of the sources as they are. Raises what `plan_run` does, and
    UsageError where what is read as published is not up to date, or a table in the place of a mart
    is not recorded as this package's and not in `adopt`.
    """
    facts, marts = present.facts, graph.project.marts
    reasons = _reasons_to_build(present, selected, force=force)
    building = tuple(reasons)
    if all(marts[name].is_temporary for name in selected):
        building = tuple(selected)
    _refuse_outdated(present, selected, building)
    _refuse_tables_of_others(present, building, adopt)
    due = source_checks((*selected, *building)) if source_checks else None
    if due and not building:
        due = due.that_must_hold()
    plan = plan_run(
        graph,
        building,
        facts,
        present.as_of,
        source_checks=due or False,
        outdated=_outdated_beside(present, building),
        queries=present.queries,
    )
    runs = {name: found.run_id for name, found in facts.recorded.items()}
    runs |= dict.fromkeys(reasons, run_id)
    temporary = {name for name, mart in marts.items() if mart.is_temporary}
    orphans = tuple(name for name in facts.recorded if name not in marts)
    drops = (*sorted(facts.recorded.keys() & temporary), *(orphans if drop_orphans else ()))
    return replace(
        _publishing(plan, drops),
        reasons=reasons,
        unchanged=tuple(
            name for name in selected if name not in reasons and not marts[name].is_temporary
        ),
        origins={name: present.origin(name, runs) for name in reasons},
        orphans=() if drop_orphans else orphans,
    )


def _publishing(plan: Plan, drops: tuple[str, ...]) -> Plan:
    """Return the plan with what its publication drops, or records of sources alone."""
    published = next((step.marts for step in plan.steps if isinstance(step, Publish)), ())
    has_news = published or drops or (plan.source_checks and plan.source_checks.by_source)
    steps = tuple(step for step in plan.steps if not isinstance(step, Publish))
    is_trial = any(isinstance(step, Build) for step in steps) and not published
    if not has_news or (is_trial and not drops):
        return plan
    return replace(plan, steps=(*steps, Publish(published, drops)))


def _reasons_to_build(
    present: Present, selected: Collection[str], *, force: bool
) -> dict[str, str]:
    """Return why each mart must be built, in build order; without a reason it need not."""
    graph, facts = present.graph, present.facts
    upstream = set[str]().union(*map(graph.upstream, selected))
    reasons: dict[str, str] = {}
    outdated: set[str] = set()
    for name in graph.order:
        mart = graph.project.marts[name]
        if mart.is_temporary:
            continue
        reason: str | None = None
        if name in selected:
            rebuilt = reasons.keys() | outdated
            reason = "forced" if force else next(present.reasons(name, rebuilt), None)
        elif mart.materialized == "view" and name in facts.published:
            # Its rows change with those of the table, so that its checks belong to this run.
            reason = next((f"{each} changed" for each in mart.inputs if each in reasons), None)
        if reason:
            reasons[name] = reason
        elif name in upstream and any(present.reasons(name, reasons.keys() | outdated)):
            outdated.add(name)
    return reasons


def _refuse_outdated(
    present: Present, selected: Collection[str], building: Collection[str]
) -> None:
    """Refuse to read as published what is not up to date with what is built now."""
    graph, facts = present.graph, present.facts
    outdated: dict[str, str] = {}
    reader: dict[str, str] = {}
    while True:
        together = [name for name in graph.order if name in {*building, *outdated}]
        reads = reads_of(graph, together)
        new = _outdated(present, [name for name in reads if name in facts.published], together)
        if not new:
            break
        outdated |= new
        reader |= {name: reads[name] for name in new}
    if outdated:
        is_temporary = {name: mart.is_temporary for name, mart in graph.project.marts.items()}
        exact = [n for n in graph.order if n in {*selected, *outdated} and not is_temporary[n]]
        raise UsageError(
            "the selection reads marts that are published, but not up to date",
            *(f"{reader[name]} reads {name}: {reason}" for name, reason in outdated.items()),
            hint=f"build them together: marts run {' '.join(f'-s {name}' for name in exact)}",
        )


def _outdated_beside(present: Present, building: Collection[str]) -> set[str]:
    """Return what other marts' checks of those that are built read, and is not up to date."""
    graph, facts = present.graph, present.facts
    beside = {
        name
        for owner, check in across(graph, building)
        for name in {owner.name, *tables_read(check)} - {*building}
        if name in facts.published
    }
    return set(_outdated(present, beside, building))


def _outdated(present: Present, names: Iterable[str], building: Collection[str]) -> dict[str, str]:
    """Return why published marts, or those that they are made from, are not up to date."""
    graph, facts = present.graph, present.facts
    upstream = {*names}.union(*map(graph.upstream, names))
    rebuilt, found = {*building}, dict[str, str]()
    for name in graph.order:
        if name in building or name not in upstream or graph.project.marts[name].is_temporary:
            continue
        reason = next(present.reasons(name, rebuilt), None)
        if reason:
            rebuilt.add(name)
            if name in names and name in facts.published:
                found[name] = reason
    return found


def _refuse_tables_of_others(
    present: Present, building: Iterable[str], adopt: Collection[str]
) -> None:
    marts, facts = present.graph.project.marts, present.facts
    for name in adopt:
        if name not in marts or marts[name].is_temporary:
            raise UsageError(
                f"--adopt {name}: there is no such mart",
                hint=did_you_mean(name, marts) or "`marts ls` lists the marts",
            )
    strangers = [
        name
        for name in building
        if name in facts.published
        and not marts[name].is_temporary
        and (name not in facts.recorded or name in facts.foreign)
        and name not in adopt
    ]
    if strangers:
        raise UsageError(
            f"{', '.join(strangers)}: not made by {present.graph.project.package},"
            " as far as is recorded; nothing was built",
            *(
                f"{n} was made by the package {facts.foreign[n]}"
                for n in strangers
                if n in facts.foreign
            ),
            hint="rename or drop what is there, choose another --schema, or take it over:"
            f" {' '.join(f'--adopt {name}' for name in strangers)}",
        )
