"""The complete script of a schedule, as it would be deployed into an empty schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from backends import snowflake_ddl as ddl
from backends.snowflake_candidate_schema import SUFFIX
from backends.snowflake_locations import Places
from backends.snowflake_shape import declared
from backends.snowflake_source import assumed_source
from backends.snowflake_sql import Namespace
from backends.snowflake_state import LOCK, NOBODY, Schema
from backends.snowflake_task_place import SourceAt, TaskPlace
from backends.snowflake_task_steps import Recipe, Who
from backends.snowflake_tasks import deployment, tables
from marts.core.plan.runs import RUNS_COLUMNS, RUNS_TABLE
from marts.core.plan.schedule import Schedule
from marts.core.plan.state import STATE_COLUMNS, RecordedTable
from marts.core.run.backend import Contract
from marts.core.run.deployment import Timing

UNDEPLOYED = "deployed"
"""In place of a run, in the records of what a deployment creates."""


def offline_place(
    schedule: Schedule, namespace: Namespace, places: Places, contracts: Mapping[str, Contract]
) -> TaskPlace:
    """Return where a schedule is if all names are spelled as usual, and sources as declared."""
    found = {}
    for name in schedule.sources:
        place = places.of(name, contracts[name])
        source = assumed_source(name, contracts[name], place.assumed)
        found[name] = SourceAt(source, place.namespace)

    def refuse(sql: str, about: str, step: str) -> object:
        raise AssertionError(f"{step} {about} needs a connection: {sql}")

    schema = Schema(namespace, refuse, schedule.group)  # type: ignore[arg-type]
    absent = {name: places.of(name, contracts[name]) for name in schedule.absent}
    candidates = Namespace(f"{namespace.schema}{SUFFIX}", namespace.database)
    return TaskPlace(schedule, schema, candidates, found, absent)


def script(place: TaskPlace, who: Who, timing: Timing) -> Iterator[str]:
    """Yield the statements that deploy a schedule where nothing is published yet."""
    found = deployment(Recipe(place, who), timing)
    yield ddl.create_schema(place.schema.namespace.sql)
    yield ddl.create_candidates_schema(place.candidates.sql)
    yield found.suspend
    yield ddl.create_own(place.schema.state, STATE_COLUMNS)
    yield ddl.create_own(place.target(RUNS_TABLE), RUNS_COLUMNS)
    yield from tables(place).values()
    rows = [{name: getattr(row, name, None) for name in STATE_COLUMNS} for row in claims(place)]
    yield ddl.claim(place.schema.state, rows)
    yield from _targets(place)
    yield from (each.sql for each in found.objects)
    yield from found.resume


def claims(place: TaskPlace) -> list[RecordedTable]:
    """Return the rows that say whose the published tables are, and the one to queue at."""
    own = place.schedule
    marts = [RecordedTable(own.package, each.name, each.kind, UNDEPLOYED) for each in own.published]
    return [RecordedTable(NOBODY, LOCK, LOCK, UNDEPLOYED), *marts]


def _targets(place: TaskPlace) -> Iterator[str]:
    for each in place.schedule.published:
        if each.kind == "table":
            shape = declared("table", each.schema)
            yield ddl.create_target(
                place.target(each.name),
                {name: column.type for name, column in shape.columns.items()},
                comment=each.comment,
                column_comments=each.column_comments,
            )


def text_of(statements: Iterator[str]) -> str:
    """Return statements as a script."""
    return "".join(f"{sql};\n\n" for sql in statements)
