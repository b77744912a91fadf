"""The procedures and tasks of a schedule as statements, each with a digest in its comment.

https://docs.snowflake.com/en/user-guide/tasks-graphs
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from backends import snowflake_ddl as ddl
from backends.snowflake_ddl import identifier, literal
from backends.snowflake_parameters import FIXED, LOCK_TIMEOUT
from backends.snowflake_scripting import Procedure
from backends.snowflake_task_checks import CHECKS_COLUMNS
from backends.snowflake_task_ending import finish
from backends.snowflake_task_place import TaskPlace
from backends.snowflake_task_publication import publish
from backends.snowflake_task_steps import BEGINS, RUNS_COLUMNS, Recipe, begin, build, check_sources
from marts.core.errors import UsageError
from marts.core.run.deployment import Timing

PARENTS = 100
"""How many tasks may precede one task."""
TASKS = 1_000
"""How many tasks a graph may have."""
LONGEST = 255
"""How many characters a name may have."""
ROOT, SOURCES, PUBLISH, FINISH = "BEGIN", "SOURCES", "PUBLISH", "FINISH"
SESSION = {
    name: value
    for name, value in FIXED.items()
    # These are of connections.
    if name not in ("MULTI_STATEMENT_COUNT", "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT")
    and not name.startswith("CLIENT_")
} | {"LOCK_TIMEOUT": LOCK_TIMEOUT}
"""The parameters of each task's session: those of a run."""
OWN_RUN = "SYSTEM$TASK_RUNTIME_INFO('CURRENT_TASK_GRAPH_RUN_GROUP_ID')"
SCHEDULED = "SYSTEM$TASK_RUNTIME_INFO('CURRENT_TASK_GRAPH_ORIGINAL_SCHEDULED_TIMESTAMP')"


@dataclass(frozen=True)
class Task:
    """A task: its name, what it calls, and the tasks that come before it."""

    name: str
    calls: Procedure
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Object:
    """A procedure or task of a schedule: how it is created; `digest` changes with its text."""

    kind: str
    name: str
    sql: str
    digest: str
    signature: str


@dataclass(frozen=True)
class Comment:
    """What the comment of a procedure or task says: whose it is, and what it was made from."""

    package: str
    group: str
    digest: str

    def to_text(self) -> str:
        """Return the comment as text."""
        return json.dumps({"tool": "marts", **self.__dict__})

    @classmethod
    def from_text(cls, text: str | None) -> Comment | None:
        """Return the comment of a text, None if marts did not write it."""
        try:
            found = json.loads(text or "")
            return cls(found["package"], found["group"], found["digest"]) if found["tool"] else None
        except (ValueError, TypeError, KeyError):
            return None


@dataclass(frozen=True)
class Deployment:
    """All procedures and tasks of a schedule, in the order in which they are created."""

    recipe: Recipe
    timing: Timing
    tasks: tuple[Task, ...]
    objects: tuple[Object, ...] = field(default=())

    @property
    def root(self) -> str:
        """The qualified name of the root task, as SQL."""
        return self.recipe.place.own(ROOT)

    @property
    def finalizer(self) -> str:
        """The qualified name of the finalizer, as SQL."""
        return self.recipe.place.own(FINISH)

    @property
    def suspend(self) -> str:
        """The statement after which no run of the graph begins."""
        return f"ALTER TASK IF EXISTS {self.root} SUSPEND"

    @property
    def resume(self) -> tuple[str, ...]:
        """The statements that resume all tasks, the root last."""
        return (
            f"ALTER TASK {self.finalizer} RESUME",
            f"SELECT SYSTEM$TASK_DEPENDENTS_ENABLE({literal(self.root)})",
        )


def deployment(recipe: Recipe, timing: Timing) -> Deployment:
    """Return what a schedule consists of. Raises UsageError for a graph that is too large."""
    recipe = replace(recipe, expected=_expected(recipe))
    procedures = [task.calls.body for task in _tasks(recipe)]
    recipe = replace(recipe, deployment=_digest("\n".join(procedures)))
    found = Deployment(recipe, timing, tuple(_tasks(recipe)))
    _refuse_large(found)
    return replace(found, objects=tuple(_objects(found)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _expected(recipe: Recipe) -> int:
    """Return how many rows a run writes into the table of checks."""
    place = recipe.place
    doubtful = sum(bool(each.source.doubtful()) for each in place.sources.values())
    made = sum(len(each.checks) for each in place.schedule.checks)
    return 2 * len(place.sources) + doubtful + made + len(place.schedule.marts)


def _tasks(recipe: Recipe) -> Iterator[Task]:
    marts = recipe.place.schedule.marts
    yield Task(ROOT, begin(recipe))
    yield Task(SOURCES, check_sources(recipe), (ROOT,))
    for each in marts:
        needs = sorted(_task_of(name) for name in each.needs)
        yield Task(_task_of(each.name), build(recipe, each), tuple(needs) or (SOURCES,))
    read = {name for each in marts for name in each.needs}
    last = [_task_of(each.name) for each in marts if each.name not in read]
    yield Task(PUBLISH, publish(recipe), tuple(last) or (SOURCES,))
    yield Task(FINISH, finish(recipe))


def _task_of(mart: str) -> str:
    return f"BUILD_{mart}"


def _refuse_large(found: Deployment) -> None:
    place = found.recipe.place
    names = [f"{place.prefix}__{task.name}" for task in found.tasks]
    names += [place.candidate_name(each.name) for each in place.schedule.marts]
    if longest := [name for name in names if len(name) > LONGEST]:
        raise UsageError(
            f"the names of tasks and candidates would be longer than {LONGEST} characters",
            *longest[:3],
            hint="shorten the names of marts, of the package or of the group",
        )
    most = max(found.tasks, key=lambda task: len(task.after))
    if len(most.after) > PARENTS or len(found.tasks) > TASKS:
        raise UsageError(
            f"the graph has {len(found.tasks)} tasks, and {most.name} comes after"
            f" {len(most.after)} others",
            f"Snowflake has at most {TASKS} tasks in a graph, and {PARENTS} before one of them",
            hint="put the marts into several groups, each of which is a graph of its own",
        )


def _objects(found: Deployment) -> Iterator[Object]:
    place = found.recipe.place
    own = place.schedule
    for task in found.tasks:
        procedure = task.calls
        digest = _digest(procedure.create(""))
        comment = Comment(own.package, own.group, digest).to_text()
        sql = procedure.create(comment)
        yield Object("procedure", task.name, sql, digest, procedure.signature)
    for task in found.tasks:
        digest = _digest(_create_task(found, task, ""))
        comment = Comment(own.package, own.group, digest).to_text()
        yield Object("task", task.name, _create_task(found, task, comment), digest, task.name)


def _create_task(found: Deployment, task: Task, comment: str) -> str:
    place, timing = found.recipe.place, found.timing
    lines = [f"CREATE OR REPLACE TASK {place.own(task.name)}", _compute(timing)]
    if task.name == ROOT:
        lines += [*_schedule(timing), "OVERLAP_POLICY = NO_OVERLAP"]
    lines.append(", ".join(f"{name} = {_parameter(value)}" for name, value in SESSION.items()))
    if task.name == ROOT:
        # The first is for the whole graph.
        lines += [
            f"USER_TASK_TIMEOUT_MS = {timing.timeout_seconds * 1000}",
            f"SUSPEND_TASK_AFTER_NUM_FAILURES = {timing.failures}",
        ]
    lines.append(f"COMMENT = {literal(comment)}")
    if task.name == FINISH:
        lines.append(f"FINALIZE = {place.own(ROOT)}")
    if task.after:
        lines.append(f"AFTER {', '.join(map(place.own, task.after))}")
    return "\n".join([*lines, "AS", _call(task, timing)])


def _compute(timing: Timing) -> str:
    if timing.serverless:
        return f"USER_TASK_MANAGED_INITIAL_WAREHOUSE_SIZE = {literal(timing.serverless)}"
    return f"WAREHOUSE = {identifier(timing.warehouse or '')}"


def _schedule(timing: Timing) -> list[str]:
    return [f"SCHEDULE = {literal(f'USING CRON {timing.cron} {timing.timezone}')}"]


def _parameter(value: object) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    return str(value) if isinstance(value, int) else literal(str(value))


def _call(task: Task, timing: Timing) -> str:
    arguments = [OWN_RUN]
    if task.calls.arguments == BEGINS:
        zone = literal(timing.timezone)
        # That of the schedule, so that a late or repeated run has the same date.
        arguments.append(f"CAST(CONVERT_TIMEZONE({zone}, TO_TIMESTAMP_TZ({SCHEDULED})) AS DATE)")
    return f"CALL {task.calls.name}({', '.join(arguments)})"


def tables(place: TaskPlace) -> Mapping[str, str]:
    """Return the statements that create the tables of a schedule, by their name."""
    return {
        "RUNS": ddl.create_own(place.runs, RUNS_COLUMNS),
        "CHECKS": ddl.create_own(place.checks, CHECKS_COLUMNS),
    }
