"""Deploy schedules into an account: what differs is replaced, and only what is recorded as ours.

A procedure or a task says in its comment whose it is. The schema of the candidates, the tables
beside the marts and their additive changes are made here, so that a task needs no DDL on marts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from backends import snowflake_ddl as ddl
from backends.snowflake import SnowflakeBackend
from backends.snowflake_ddl import literal
from backends.snowflake_errors import number_of
from backends.snowflake_task_place import SourceAt, TaskPlace
from backends.snowflake_task_steps import Recipe, Who
from backends.snowflake_task_targets import STEP, Targets
from backends.snowflake_tasks import Comment, Deployment, Object, deployment, tables
from marts.core.errors import EngineError, UsageError
from marts.core.plan.runs import RUNS_TABLE, TASK
from marts.core.plan.schedule import Schedule
from marts.core.run.deployment import Deployed, GraphState, RunState, TaskState, Timing

CRON = re.compile(r"USING CRON (.+) (\S+)", re.IGNORECASE)
SHOWN_RUNS = 5
DENIED = (2003, 2043, 3001)


@dataclass(frozen=True)
class Existing:
    """A procedure or task of the account, and what its comment says."""

    kind: str
    name: str
    comment: Comment | None
    row: Mapping[str, Any]

    @property
    def signature(self) -> str:
        """The types of a procedure's arguments, as SQL; empty for a task."""
        found = re.search(r"\(.*?\)", str(self.row.get("arguments") or ""))
        return found[0] if found and self.kind == "procedure" else ""


class SnowflakeDeployer:
    """Deploys into the schema of a backend's candidates; `backend` has described the sources."""

    def __init__(
        self, backend: SnowflakeBackend, who: Who, *, acknowledged: Collection[str] = ()
    ) -> None:
        self.backend = backend
        self.who = who
        self.acknowledged = frozenset(acknowledged)
        self.namespace = backend.candidates.namespace

    def timing(self, package: str, **given: str | None) -> dict[str, str | None]:
        """Return when and on what to run: what is given, else as it is deployed."""
        roots = [t for t in self._own(package) if t.kind == "task" and t.row.get("schedule")]
        known = CRON.fullmatch(str(roots[0].row["schedule"])) if roots else None
        warehouse = given["warehouse"] or (roots[0].row.get("warehouse") if roots else None)
        current = self.backend.sessions.current().connection.warehouse
        return {
            "cron": given["cron"] or (known[1] if known else None),
            "timezone": given["timezone"] or (known[2] if known else None),
            "warehouse": warehouse or current,
        }

    def deploy(self, schedules: Sequence[Schedule], timing: Timing) -> list[Deployed]:
        """Create or replace what differs, drop what is gone, and start the schedules."""
        found = [self._planned(each, timing) for each in schedules]
        kept = {(e.kind, name) for planned in found for e, name in _names(planned)}
        package = schedules[0].package
        gone = [e for e in self._own(package) if (e.kind, e.name) not in kept]
        if gone:
            # No task of a graph may be dropped while its root is started.
            self.suspend(package)
        dropped = tuple(self._drop(gone))
        done = [self._deploy(each, is_suspended=bool(gone)) for each in found]
        return [replace(each, dropped=dropped if n == 0 else ()) for n, each in enumerate(done)]

    def _planned(self, schedule: Schedule, timing: Timing) -> _Planned:
        place = self._place(schedule)
        planned = _Planned(
            deployment(Recipe(place, self.who), timing), Targets(self.backend, place)
        )
        self._refuse_others(planned.deployment)
        planned.targets.refuse(self.acknowledged)
        return planned

    def _place(self, schedule: Schedule) -> TaskPlace:
        backend, sources = self.backend, dict[str, SourceAt]()
        read = backend.reading.found()
        names = [*schedule.sources, *schedule.absent]
        loose = [name for name in names if name in read and read[name].way != "pinned"]
        if loose:
            raise UsageError(
                "a scheduled run reads sources as they were at one moment, and some have no past",
                *(
                    f"source {name}: {read[name].namespace}.{read[name].source.table}"
                    for name in loose
                ),
                hint="let their tables keep a day of history:"
                " ALTER TABLE … SET DATA_RETENTION_TIME_IN_DAYS = 1\n"
                "  or schedule `marts run` itself, which copies what has no past",
            )
        for name in schedule.sources:
            sources[name] = SourceAt(read[name].source, read[name].namespace)
        absent = {name: backend.reading.place_of(name) for name in schedule.absent}
        schema = backend.schema.of(schedule.group)
        return TaskPlace(schedule, schema, self.namespace, sources, absent)

    def _deploy(self, planned: _Planned, *, is_suspended: bool) -> Deployed:
        found, place = planned.deployment, planned.deployment.recipe.place
        existing = {(each.kind, each.name): each for each in self._existing}
        differs = _differing(found, existing)
        # A suspended task counts as done: the run would publish nothing.
        resumes = bool(differs) or is_suspended or not _are_started(found, existing)
        with self._explained():
            if resumes:
                self.execute(found.suspend)
            self.backend.candidates.create()
            for sql in tables(place).values():
                self.execute(sql)
            made = planned.targets.prepare()
            for each in differs:
                self.execute(each.sql, each.name)
            if resumes:
                for sql in found.resume:
                    self.execute(sql)
        names = {(each.kind, _catalog_name(found, each.name)) for each in differs}
        new = tuple(_said(key) for key in sorted(names - existing.keys()))
        return Deployed(
            place.schedule.group,
            found.root,
            new,
            tuple(_said(key) for key in sorted(names & existing.keys())),
            tuple(
                f"{e.kind} {_catalog_name(found, e.name)}"
                for e in found.objects
                if e not in differs
            ),
            (),
            tuple(map(str, made)),
        )

    def suspend(self, package: str) -> list[str]:
        """Let no run of a package begin any more; return the names of the root tasks."""
        roots = [e for e in self._own(package) if e.kind == "task" and e.name.endswith("__BEGIN")]
        for each in roots:
            self.execute(f"ALTER TASK IF EXISTS {self._sql(each)} SUSPEND", each.name)
        return [each.name for each in roots]

    def remove(self, package: str) -> list[str]:
        """Drop the tasks and procedures of a package; return their names. Marts stay."""
        self.suspend(package)
        return list(self._drop(self._own(package)))

    def state(self, package: str) -> GraphState:
        """Return the tasks of a package, and its last runs by tasks."""
        tasks = [each for each in self._own(package) if each.kind == "task"]
        found = tuple(
            TaskState(
                each.name,
                str(each.row.get("state") or "unknown"),
                str(each.row["schedule"]) if each.row.get("schedule") else None,
                str(each.row.get("warehouse") or "serverless"),
            )
            for each in tasks
        )
        return GraphState(found, tuple(self._runs(package)))

    def _runs(self, package: str) -> Iterator[RunState]:
        marts = self.backend.namespace
        if RUNS_TABLE.upper() not in self.backend.catalog.kinds(marts):
            return
        by_task = literal(f"{TASK}%")
        rows = self._records(
            'SELECT "RUN_ID" AS "run_id", "AS_OF" AS "as_of", "STATUS" AS "status",'
            ' "STARTED_AT" AS "started_at", "ERROR" AS "error"'
            f" FROM {marts.qualified(RUNS_TABLE).sql(ddl.DIALECT)}"
            f' WHERE "PACKAGE" = {literal(package)} AND "HOST_NAME" LIKE {by_task}'
            f' ORDER BY "STARTED_AT" DESC LIMIT {SHOWN_RUNS}'
        )
        yield from (
            RunState(**{name.lower(): value for name, value in row.items()}) for row in rows
        )

    def _drop(self, gone: Sequence[Existing]) -> Iterator[str]:
        for each in sorted(gone, key=lambda each: each.kind, reverse=True):
            self.execute(
                f"DROP {each.kind.upper()} IF EXISTS {self._sql(each)}{each.signature}", each.name
            )
            yield f"{each.kind} {each.name}"

    def _sql(self, each: Existing) -> str:
        return self.namespace.qualified(each.name).sql(ddl.DIALECT)

    @cached_property
    def _existing(self) -> list[Existing]:
        if not self.backend.catalog.has_schema(self.namespace):
            return []
        comments = {"task": "comment", "procedure": "description"}
        return [
            Existing(kind, row["name"], Comment.from_text(row.get(comment)), row)
            for kind, comment in comments.items()
            for row in self._records(f"SHOW {kind.upper()}S IN SCHEMA {self.namespace.sql}")
        ]

    def _own(self, package: str) -> list[Existing]:
        return [e for e in self._existing if e.comment and e.comment.package == package]

    def _refuse_others(self, found: Deployment) -> None:
        own = found.recipe.place.schedule
        existing = {(each.kind, each.name): each for each in self._existing}
        others = [
            f"{each.kind} {self.namespace}.{name}"
            for each in found.objects
            for name in [_catalog_name(found, each.name)]
            for there in [existing.get((each.kind, name))]
            if there and (there.comment is None or there.comment.package != own.package)
        ]
        if others:
            raise UsageError(
                "the account has procedures or tasks of these names that marts did not make",
                *others,
                hint="rename or drop them, or use another --schema",
            )

    def execute(self, sql: str, about: str = "") -> None:
        """Run one statement of a deployment."""
        self.backend.execute(sql, about=about, step=STEP)

    def _records(self, sql: str) -> list[dict[str, Any]]:
        return self.backend.records(sql, STEP)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except EngineError as error:
            if number_of(error) not in DENIED:
                raise
            schema = self.namespace.sql
            raise EngineError(
                "the schedule could not be deployed, and is suspended; marts are as before",
                error.summary,
                *error.facts,
                hint="grant what it needs, and deploy again:\n"
                f"  GRANT CREATE TASK, CREATE PROCEDURE ON SCHEMA {schema} TO ROLE …;\n"
                "  GRANT EXECUTE TASK ON ACCOUNT TO ROLE …;\n"
                "  GRANT EXECUTE MANAGED TASK ON ACCOUNT TO ROLE …;  -- with --serverless",
            ) from error


@dataclass(frozen=True)
class _Planned:
    deployment: Deployment
    targets: Targets


def _names(planned: _Planned) -> Iterator[tuple[Object, str]]:
    for each in planned.deployment.objects:
        yield each, _catalog_name(planned.deployment, each.name)


def _catalog_name(found: Deployment, name: str) -> str:
    return f"{found.recipe.place.prefix}__{name}".upper()


def _differing(found: Deployment, existing: Mapping[tuple[str, str], Existing]) -> list[Object]:
    """Return what is to be created or replaced, in order.

    A task that is replaced is dropped first, which severs those after it: so all of them are.
    """
    differs = [each for each in found.objects if not _is_same(each, found, existing)]
    if any(each.kind == "task" for each in differs):
        return [each for each in found.objects if each.kind == "task" or each in differs]
    return differs


def _are_started(found: Deployment, existing: Mapping[tuple[str, str], Existing]) -> bool:
    names = [_catalog_name(found, each.name) for each in found.objects if each.kind == "task"]
    tasks = [existing.get(("task", name)) for name in names]
    return all(each is not None and each.row.get("state") == "started" for each in tasks)


def _is_same(each: Object, found: Deployment, existing: Mapping[tuple[str, str], Existing]) -> bool:
    there = existing.get((each.kind, _catalog_name(found, each.name)))
    return bool(there and there.comment and there.comment.digest == each.digest)


def _said(key: tuple[str, str]) -> str:
    return " ".join(key)
