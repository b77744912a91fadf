"""What must be built again, and why: published marts against what they were made from."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import json
import sys
import sysconfig
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import ibis.expr.types as ir

from marts.core.checked import SourceChecks
from marts.core.checks import checks_of, tables_read
from marts.core.graph import Graph
from marts.core.model import FixedAsOf
from marts.core.plan import Build, CheckAcross, CheckRows, Facts, Plan, plan_run

OURS = ("marts", "backends")
COMPILERS = ("ibis-framework", "sqlglot")
"""Whose version decides, beside our own code, which SQL an expression becomes."""


@dataclass(frozen=True)
class MadeBy:
    """What turns a project into SQL: a version of the code, and an engine's compiler."""

    code: str
    compile: Callable[[ir.Table], str]


@dataclass(frozen=True)
class Origin:
    """What a mart was made from: digests of code and SQL, versions of sources, runs of marts.

    `code` is a short cut: where it is the same, the SQL is, and need not be compiled to know.
    """

    code: str
    sql: str
    sources: Mapping[str, str]
    marts: Mapping[str, str]

    def to_text(self) -> str:
        """Return the origin as an engine keeps it."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str | None) -> Origin | None:
        """Return the origin of its text; None where another version of the framework wrote it."""
        try:
            return cls(**json.loads(text or ""))
        except (ValueError, TypeError):
            return None


def code_version(package: str) -> str:
    """Return a digest of all code that decides what a package's marts compile to.

    That is every loaded module of the package, of ours, and whatever else is neither Python's nor
    installed.
    """
    own = {package.partition(".")[0], *OURS}
    installed = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")]
    files = set()
    for name, module in list(sys.modules.items()):
        file = Path(getattr(module, "__file__", None) or "")
        is_own = name.partition(".")[0] in own or not any(map(file.is_relative_to, installed))
        if is_own and file.suffix == ".py":
            files.add(file)
    digest = hashlib.sha256()
    for name in COMPILERS:
        digest.update(importlib.metadata.version(name).encode())
    for file in sorted(files):
        digest.update(str(file).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def sql_versions(plan: Plan, compile_: Callable[[ir.Table], str]) -> dict[str, str]:
    """Return a digest of each built mart's SQL, its comments and the SQL of its checks."""
    texts: dict[str, list[str]] = {}
    for step in plan.steps:
        match step:
            case Build(mart, query, column_comments):
                comments = json.dumps([mart.materialized, mart.comment, dict(column_comments)])
                texts.setdefault(mart.name, []).extend([comments, compile_(query)])
            case CheckRows(table, checks, query):
                made = [f"{c.name} {c.severity} {c.threshold}" for c in checks]
                texts.setdefault(table.name, []).extend([*made, compile_(query)])
            case CheckAcross(table, check, query):
                made = [f"{check.name} {check.severity} {check.threshold}"]
                texts.setdefault(table.name, []).extend([*made, compile_(query)])
    # Sorted, since what is planned with a mart moves its checks.
    return {
        name: hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()
        for name, parts in texts.items()
    }


def sources_of(graph: Graph, name: str) -> set[str]:
    """Return the sources that a mart's definition and its checks read themselves."""
    mart = graph.project.marts[name]
    read = {*mart.inputs}.union(*(tables_read(check) for check in checks_of(mart)))
    return read & graph.project.sources.keys()


@dataclass(frozen=True)
class Present:
    """What a run would make marts from: `sql` gives digests, and takes a while to."""

    as_of: datetime.date
    code: str
    sql: Callable[[], Mapping[str, str]]


def reasons_to_build(
    graph: Graph, selected: Iterable[str], facts: Facts, present: Present
) -> dict[str, str]:
    """Return why each selected mart must be built, in build order; without a reason it need not."""
    reasons: dict[str, str] = {}
    for name in selected:
        if reason := next(_reasons(graph, name, facts, present, rebuilt=reasons), None):
            reasons[name] = reason
    return reasons


def _reasons(
    graph: Graph, name: str, facts: Facts, present: Present, *, rebuilt: Mapping[str, str]
) -> Iterator[str]:
    recorded = facts.recorded.get(name)
    if name not in facts.published or recorded is None:
        yield "not published"
        return
    origin = Origin.from_text(recorded.origin)
    if origin is None:
        yield "not known what it was made from"
        return
    if recorded.as_of != present.as_of:
        yield f"as of {recorded.as_of} before"
    if origin.code != present.code and origin.sql != present.sql()[name]:
        yield "code changed"
    for source in sorted(sources_of(graph, name)):
        version = facts.source_version(source)
        if version is None or origin.sources.get(source) != version:
            yield f"source {source} changed"
    for mart in graph.project.marts[name].inputs:
        if mart in graph.project.marts:
            run_id = facts.recorded[mart].run_id if mart in facts.recorded else None
            if mart in rebuilt or origin.marts.get(mart) != run_id:
                yield f"{mart} changed"


def plan_changes(
    graph: Graph,
    selected: Collection[str],
    facts: Facts,
    as_of: FixedAsOf,
    made_by: MadeBy,
    *,
    force: bool = False,
    source_checks: Callable[[Collection[str]], SourceChecks] | None = None,
) -> Plan:
    """Plan to build, check and publish those of the selected marts that are not up to date.

    `source_checks` tells which checks of sources building some marts relies on.

    Raises what `plan_run` does.
    """

    @cache
    def sql() -> Mapping[str, str]:
        return sql_versions(plan_run(graph, selected, facts, as_of), made_by.compile)

    reasons = (
        dict.fromkeys(selected, "forced")
        if force
        else reasons_to_build(graph, selected, facts, Present(as_of.day, made_by.code, sql))
    )
    of_sources = source_checks(tuple(reasons)) if source_checks and reasons else False
    plan = plan_run(graph, tuple(reasons), facts, as_of, source_checks=of_sources)
    unchanged = tuple(name for name in selected if name not in reasons)
    return replace(plan, reasons=reasons, unchanged=unchanged)


def origins_of(
    graph: Graph, plan: Plan, facts: Facts, made_by: MadeBy, *, run_id: str
) -> dict[str, str]:
    """Return what to record, as text, of each mart that the plan builds."""
    sql = sql_versions(plan, made_by.compile)
    runs = {name: found.run_id for name, found in facts.recorded.items()}
    runs |= dict.fromkeys(plan.reasons, run_id)
    return {
        name: Origin(
            made_by.code,
            sql[name],
            {
                source: version
                for source in sorted(sources_of(graph, name))
                if (version := facts.source_version(source)) is not None
            },
            {mart: runs[mart] for mart in graph.project.marts[name].inputs if mart in runs},
        ).to_text()
        for name in plan.reasons
    }
