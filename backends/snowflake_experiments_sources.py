"""Experiments on sources: those of the project, and reading a table as it was at one moment."""

from __future__ import annotations

import datetime
import time

import sqlglot.expressions as sge

from backends import snowflake_ddl as ddl
from backends.snowflake_catalog import source_version
from backends.snowflake_ddl import DIALECT, literal
from backends.snowflake_errors import LostAnswerError
from backends.snowflake_governance import MASKING, ROW_ACCESS, quoted, within
from backends.snowflake_locations import Place
from backends.snowflake_pinning import CLOCK, in_words, may_be_pinned, moment_of, pinned, probe
from backends.snowflake_scratch import Scratch, listed
from backends.snowflake_source import Source, find_source
from backends.snowflake_sql import Namespace
from marts.core.errors import EngineError
from marts.core.run.backend import Contract
from marts.core.run.diagnosis import Experiment, Finding, ok, skip, verdict_of

BETWEEN = 0.5
"""Seconds around a moment: the time of a commit is near the clock's, but not the same."""
ELSEWHERE = "pass --source-schema, or load a trial: marts load"
LOCATED = "correct its location in [tool.marts.sources]"
UNNAMED = skip(
    "no package is named, so that its sources were not looked at", remedy="pass --package NAME"
)


def sources(door: Scratch) -> Finding:
    """Look for each source, and find out how a run would read it."""
    if door.contracts is None:
        return UNNAMED
    moment, read, problems, remedies = _now(door), list[str](), list[str](), list[str]()
    for name, contract in door.contracts.items():
        place = door.places.of(name, contract)
        schema, tables = place.namespace, door.catalog.tables(place.namespace)
        source = _found(door, name, contract, place)
        if source is None:
            if problem := _absence(door, name, contract, place):
                problems.append(problem)
                remedies.append(LOCATED if place.is_given else ELSEWHERE)
        elif source.misfits:
            problems += [f"{name}: {line}" for line in source.misfits]
            remedies.append(f"correct {schema}.{source.table}, or its declaration")
        elif error := _refused(door, source.at(schema)):
            kind = "VIEW" if tables[source.table]["TABLE_TYPE"] == "VIEW" else "TABLE"
            problems.append(f"{name}: {error.summary}")
            at = source.at(schema).sql(DIALECT)
            remedies.append(f"GRANT SELECT ON {kind} {at} TO ROLE {quoted(door.role)}")
        else:
            read.append(f"{name} {_way(door, source, schema, moment)}")
    remedy = "; ".join(dict.fromkeys(remedies))
    return verdict_of(problems, *read, bad="FAIL", remedy=remedy)


def _now(door: Scratch) -> datetime.datetime:
    return moment_of(door.first.value(CLOCK.sql(DIALECT)))


def _found(door: Scratch, name: str, contract: Contract, place: Place) -> Source | None:
    there = tuple(door.catalog.tables(place.namespace))
    columns = door.catalog.columns(place.namespace)
    return find_source(name, contract, there, columns, spelled=place.find(there))


def _absence(door: Scratch, name: str, contract: Contract, place: Place) -> str | None:
    """Return what is wrong if a source is not found, None if it need not be there."""
    is_needed = place.is_given or not contract.optional
    if not door.catalog.has_schema(place.namespace) and is_needed:
        return f"{name}: there is no schema {place.namespace}"
    if place.find(door.catalog.streams(place.namespace)):
        return f"{name} is a stream; a run that reads it would consume its changes"
    if place.is_given:
        return f"{name}: there is no table {place}"
    return None if contract.optional else f"{name} is not in {place.namespace}"


def _refused(door: Scratch, table: sge.Table) -> EngineError | None:
    return door.first.refusal(sge.select("1").from_(table).where(sge.false()).sql(DIALECT))


def _way(door: Scratch, source: Source, schema: Namespace, moment: datetime.datetime) -> str:
    """Return how a run would read a source."""
    table = door.catalog.tables(schema)[source.table]
    views = door.catalog.views(schema) if table["TABLE_TYPE"] == "VIEW" else {}
    if may_be_pinned(table, views):
        query = probe([source.at(schema, moment)])
        if door.first.refusal(query.sql(DIALECT)) is None:
            return "is pinned to one moment"
    if source_version(table):
        return "is compared again at the end of a run"
    return "is copied by each run"


def unmasked(door: Scratch) -> Finding:
    """Look for policies on the sources: what a mart reads through one, everybody reads there."""
    if door.contracts is None:
        return UNNAMED
    places = {name: door.places.of(name, each) for name, each in door.contracts.items()}
    there = {
        name: (place.namespace, table)
        for name, place in places.items()
        for table in place.find(tuple(door.catalog.tables(place.namespace)))
    }
    problems, unknown = list[str](), list[str]()
    for name, (schema, table) in there.items():
        kind = "view" if door.catalog.tables(schema)[table]["TABLE_TYPE"] == "VIEW" else "table"
        try:
            problems += [f"{name}: {line}" for line in _policies(door, schema, table, kind)]
        except LostAnswerError:
            raise
        except EngineError:
            unknown.append(name)
    remedy = f"let each policy show the role {door.role} all rows and values"
    if problems:
        return Finding("warn", tuple(problems), remedy)
    if unknown:
        return skip(f"the role may not see the policies of {listed(unknown)}")
    return ok(f"{len(there)} sources have no masking or row access policy")


def _policies(door: Scratch, schema: Namespace, table: str, kind: str) -> list[str]:
    at = literal(sge.table_(table, schema.schema, schema.database, quoted=True).sql(DIALECT))
    rows = door.first.records(
        f"SELECT * FROM TABLE({within(schema)}INFORMATION_SCHEMA.POLICY_REFERENCES("
        f"REF_ENTITY_NAME => {at}, REF_ENTITY_DOMAIN => '{kind}'))"
    )
    return [
        f"{row['policy_name']} is on {row['ref_column_name'] or 'its rows'}"
        for row in rows
        if row["policy_kind"] in (MASKING, ROW_ACCESS)
    ]


def pinning(door: Scratch) -> Finding:
    """Read a table and a view as they were before rows were added."""
    relation = door.table("PINNED", '"V" VARCHAR', "'old'")
    for kind in ("VIEW", "SECURE VIEW"):
        view = door.name(f"PINNED_{kind.replace(' ', '_')}")
        door.first.run(f'CREATE {kind} {view} AS SELECT "V" FROM {relation}')
    moment = _moment(door)
    door.first.run(f"INSERT INTO {relation} VALUES ('new')")
    counts = {name: _count(door, name, moment) for name in ("PINNED", "PINNED_VIEW")}
    problems = [
        f"{name} had {count} rows at {in_words(moment)}, not 1"
        for name, count in counts.items()
        if count != 1
    ]
    refused = door.first.refusal(_counted(door, "PINNED_SECURE_VIEW", moment))
    secure = f"a secure view can{'not' if refused else ''} be; marts copies it"
    remedy = "do not publish; report this with the evidence: marts would mix states of sources"
    evidence = "a table and a view were read as before"
    return verdict_of(problems, evidence, secure, bad="FAIL", remedy=remedy)


def _moment(door: Scratch) -> datetime.datetime:
    """Return a moment that is surely after all changes so far, and before all to come."""
    time.sleep(BETWEEN)
    moment = _now(door)
    time.sleep(BETWEEN)
    return moment


def _counted(door: Scratch, name: str, moment: datetime.datetime) -> str:
    table = pinned(door.schema.qualified(name), moment)
    return sge.select("COUNT(*)").from_(table).sql(DIALECT)


def _count(door: Scratch, name: str, moment: datetime.datetime) -> int:
    return int(door.first.value(_counted(door, name, moment)))


def old_build(door: Scratch) -> Finding:
    """Overwrite a table, and read it as it was."""
    target = door.name("REBUILT")
    door.first.run(ddl.create_target(target, {"V": "VARCHAR"}, comment="", column_comments={}))
    candidate = door.table("REBUILT_NEW", '"V" VARCHAR', "'new'", "'new'")
    door.first.run(f"INSERT INTO {target} VALUES ('old')")
    moment = _moment(door)
    door.first.run(ddl.BEGIN, ddl.overwrite(target, candidate, ["V"]), ddl.COMMIT)
    count = _count(door, "REBUILT", moment)
    problems = [] if count == 1 else [f"it had {count} rows at {in_words(moment)}, not 1"]
    remedy = "clone a mart before a publication that may have to be undone"
    return verdict_of(problems, "the rows of before can be read", bad="warn", remedy=remedy)


def version(door: Scratch) -> Finding:
    """Change a value, so that neither the number of rows nor anything else differs."""
    relation = door.table("VERSIONED", '"V" VARCHAR', "'old'")

    def current() -> str | None:
        door.catalog.forget()
        return source_version(door.catalog.tables(door.schema)["VERSIONED"])

    before = current()
    door.first.run(f"UPDATE {relation} SET \"V\" = 'new'")
    problems = [] if current() != before else [f"after an UPDATE the catalog still has {before}"]
    remedy = "use --force for each run: a change of a source may not be noticed"
    return verdict_of(problems, "LAST_ALTERED moves with the rows", bad="FAIL", remedy=remedy)


def streams(door: Scratch) -> Finding:
    """Look for a stream as for a source."""
    relation = door.table("WATCHED", '"V" VARCHAR')
    stream = door.name("A_STREAM")
    if refused := door.first.refusal(f"CREATE STREAM {stream} ON TABLE {relation}"):
        return skip(refused.summary, *refused.facts[:1])
    door.catalog.forget()
    problems = []
    if "A_STREAM" in door.catalog.tables(door.schema):
        problems.append("INFORMATION_SCHEMA.TABLES has a stream as if it were a table")
    if "A_STREAM" not in door.catalog.streams(door.schema):
        problems.append("SHOW STREAMS does not list it")
    remedy = "do not name a stream as a source: a run would consume its changes"
    return verdict_of(problems, "SHOW STREAMS lists it, TABLES does not", bad="warn", remedy=remedy)


EXPERIMENTS: tuple[Experiment[Scratch], ...] = (
    Experiment("sources", "a run can read each source", sources),
    Experiment("unmasked_sources", "a run sees the sources as they are", unmasked, refused="warn"),
)
"""The experiments on the project's own sources; they only read."""

IN_SCRATCH: tuple[Experiment[Scratch], ...] = (
    Experiment("pinning", "a source can be read as it was at one moment", pinning, refused="warn"),
    Experiment(
        "old_build", "Time Travel keeps the build that was replaced", old_build, refused="warn"
    ),
    Experiment("source_version", "a run notices that a source has changed", version),
    Experiment("streams", "a stream is never read as a source", streams, refused="warn"),
)
"""The experiments on tables of the doctor's own."""
