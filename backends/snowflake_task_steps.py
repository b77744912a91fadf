"""The procedures of a scheduled run: what each does, in order; pure functions.

A run begins with its date and moment; then sources are checked, candidates are built and checked,
and all of them are published, or none. Each procedure finds the run by the id of its graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from backends import snowflake_ddl as ddl
from backends.snowflake_ddl import identifier, literal
from backends.snowflake_expression import Expression
from backends.snowflake_pinning import FORMAT
from backends.snowflake_runs_ddl import insert_record
from backends.snowflake_scripting import Procedure, Refuse, Run, Set, Step
from backends.snowflake_task_checks import CHECKS_COLUMNS, NUMBER, insertion, named, recorded
from backends.snowflake_task_place import MOMENT, SourceAt, TaskPlace, type_words
from marts.core.plan.runs import RUNS_TABLE, TASK
from marts.core.plan.schedule import ScheduledMart

GRAPH = {"GRAPH_RUN": "VARCHAR"}
BEGINS = {**GRAPH, "AS_OF": "DATE"}
RUN = {"RUN_ID": "VARCHAR", "AS_OF": "DATE", "MOMENT": "VARCHAR"}
"""The variables of each procedure: the run, its date, and the moment at which it reads sources."""
RUNS_COLUMNS = {
    "graph_run": "string",
    "run_id": "string",
    "as_of": "date",
    "moment": "string",
    "seen": "string",
    "deployment": "string",
}
"""The columns of the table of scheduled runs; `seen` are the runs that had published the marts."""
RUN_ID_FORMAT = "YYYYMMDDHH24MISS"
UTC_NOW = "CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP())"
NOW = f"CAST({UTC_NOW} AS TIMESTAMP_NTZ)"
KEPT_DAYS = 30
"""For so many days, what scheduled runs found is kept."""
NO_RUN = "the run of this graph has not begun: run its root task"
NO_DATE = "the graph has no scheduled time, so that the run has no date"
NOT_HELD = "a check does not hold: the table of runs names it"
GROWS = "not_shrunk"
FILLED, FITTING = "not_empty", "values_fit_contract"


@dataclass(frozen=True)
class Who:
    """Who deploys, for the table of runs: the version of marts, and the environment."""

    version: str
    environment: str | None = None


@dataclass(frozen=True)
class Recipe:
    """What the procedures of one deployment are made from; `deployment` is a digest of it all."""

    place: TaskPlace
    who: Who
    deployment: str = ""
    expected: int = 0
    """How many rows a run writes into the table of checks before it is published."""
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def procedure(
        self,
        name: str,
        *steps: Step,
        arguments: Mapping[str, str] = GRAPH,
        variables: Mapping[str, str] = RUN,
        rolls_back: bool = False,
    ) -> Procedure:
        """Return a procedure of this schedule."""
        own = {each: kind for each, kind in variables.items() if each not in arguments}
        return Procedure(self.place.own(name), arguments, own, steps, rolls_back)


def found_run(place: TaskPlace) -> tuple[Step, ...]:
    """Return the steps that read which run this is."""
    where = f"FROM {place.runs} WHERE {identifier('graph_run')} = :GRAPH_RUN"
    return (
        *(Set(name, f"SELECT {identifier(name)} {where}") for name in RUN),
        Refuse("RUN_ID IS NULL", NO_RUN),
    )


def begin(recipe: Recipe) -> Procedure:
    """Return the procedure of the root: it writes down run, date and moment, once for each graph.

    A root that is tried again begins another run as of the same date.
    """
    place, graph = recipe.place, identifier("graph_run")
    row = {
        "graph_run": Expression(":GRAPH_RUN"),
        "run_id": Expression(":RUN_ID"),
        "as_of": Expression(":AS_OF"),
        "moment": Expression(":MOMENT"),
        "seen": Expression(":SEEN"),
        "deployment": recipe.deployment,
    }
    names, values = ", ".join(map(identifier, row)), ", ".join(map(ddl.value, row.values()))
    return recipe.procedure(
        "BEGIN",
        Refuse("AS_OF IS NULL", NO_DATE),
        Set("MOMENT", f"SELECT TO_CHAR({UTC_NOW}, {literal(FORMAT)})"),
        Set("STARTED", f"SELECT TO_CHAR({UTC_NOW}, {literal(RUN_ID_FORMAT)})"),
        Set(
            "RUN_ID",
            "SELECT SUBSTR(:STARTED, 1, 8) || 'T' || SUBSTR(:STARTED, 9) || '-'"
            " || UPPER(SUBSTR(MD5(:GRAPH_RUN || :STARTED), 1, 8))",
        ),
        Set("SEEN", seen(place)),
        Run(f"DELETE FROM {place.runs} WHERE {graph} = :GRAPH_RUN"),
        Run(f"INSERT INTO {place.runs} ({names})\nSELECT {values}"),
        Run(insert_record(place.target(RUNS_TABLE), _run_row(recipe))),
        arguments=BEGINS,
        variables={**RUN, "STARTED": "VARCHAR", "SEEN": "VARCHAR"},
    )


def _run_row(recipe: Recipe) -> dict[str, object]:
    own = recipe.place.schedule
    return {
        "run_id": Expression(":RUN_ID"),
        "package": own.package,
        "status": "running",
        "started_at": Expression(NOW),
        "as_of": Expression(":AS_OF"),
        "selection": "",
        "user_name": None,
        "role_name": None,
        "host_name": f"{TASK}{recipe.place.prefix}__BEGIN",
        "backend": "snowflake",
        "marts_version": recipe.who.version,
        "environment": recipe.who.environment,
        # That all sources are read at it is why they can be scheduled.
        "sources_at": Expression("TO_TIMESTAMP_NTZ(SUBSTR(:MOMENT, 1, 23))"),
    }


def seen(place: TaskPlace) -> str:
    """Return a query of the runs that have published the marts, as one text."""
    names = [each.name for each in place.schedule.published]
    package, name, run = map(identifier, ("package", "name", "run_id"))
    return (
        f"SELECT COALESCE(LISTAGG({package} || ' ' || {name} || ' ' || {run}, ', ')"
        f" WITHIN GROUP (ORDER BY {package}, {name}), '')\n"
        f"FROM ({ddl.recorded_runs(place.schema.state, names)})"
    )


def check_sources(recipe: Recipe) -> Procedure:
    """Return the procedure that checks the sources, before anything is built from them."""
    place, own = recipe.place, recipe.place.schedule
    return recipe.procedure(
        "SOURCES",
        *found_run(place),
        Run(f"DELETE FROM {place.checks} WHERE {of_this_run()}"),
        *_same_sources(place),
        *(Run(_contents(recipe, name, at)) for name, at in place.sources.items()),
        *(Run(sql) for sql in _fits(recipe)),
        *(
            Run(recorded(each, place.sql(each.query), place.checks, recipe.deployment))
            for each in own.on_sources
        ),
        *_refuse_failed(recipe, [*place.sources, *(each.table for each in own.on_sources)]),
        variables={**RUN, "FOUND": "INT"},
    )


def _same_sources(place: TaskPlace) -> Iterator[Step]:
    """Yield the steps that refuse sources which are not those that the deployment has seen."""
    for name, each in place.sources.items():
        known = [
            (column.column.name, word)
            for column in each.source.columns
            for word in type_words(column.column)
        ]
        expected = len({column.column.name for column in each.source.columns})
        where = [
            f"{identifier('table_schema')} = {literal(each.namespace.schema)}",
            f"{identifier('table_name')} = {literal(each.source.table)}",
            f"{described(precision=True)} IN ("
            + ", ".join(literal(f"{column} {word}") for column, word in known)
            + ")",
        ]
        yield Set("FOUND", catalog(each.namespace.database, "COLUMNS", where))
        yield Refuse(
            f"FOUND <> {expected}",
            f"source {name} has other columns than when it was deployed: run marts deploy again",
        )
    for name, place_of in place.absent.items():
        where = [
            f"{identifier('table_schema')} = {literal(place_of.namespace.schema)}",
            f"UPPER({identifier('table_name')}) = {literal(place_of.name.upper())}",
        ]
        yield Set("FOUND", catalog(place_of.namespace.database, "TABLES", where))
        yield Refuse(
            "FOUND > 0",
            f"the optional source {name} is there now, as it was not: run marts deploy again",
        )


def catalog(database: str | None, view: str, where: Sequence[str]) -> str:
    """Return a query that counts rows of a view of INFORMATION_SCHEMA."""
    within = f"{identifier(database)}." if database else ""
    return f"SELECT COUNT(*) FROM {within}INFORMATION_SCHEMA.{view}\nWHERE " + "\n  AND ".join(
        where
    )


def described(*, precision: bool) -> str:
    """Return an expression of a column's name and type, from a row of COLUMNS."""
    scale = f"{identifier('numeric_scale')} || ')'"
    if precision:
        scale = f"{identifier('numeric_precision')} || ',' || {scale}"
    return (
        f"{identifier('column_name')} || ' ' || CASE {identifier('data_type')}"
        f" WHEN 'NUMBER' THEN 'NUMBER(' || {scale} ELSE {identifier('data_type')} END"
    )


def _contents(recipe: Recipe, name: str, at: SourceAt) -> str:
    """Return the statement that counts a source, which may be neither empty nor much smaller."""
    place, own = recipe.place, recipe.place.schedule
    table = at.source.at(at.namespace, MOMENT).sql(ddl.DIALECT)
    key = {"package": own.package, "name": name, "kind": "source"}
    before = " AND ".join(f"{identifier(n)} = {literal(v)}" for n, v in key.items())
    known = (
        f'SELECT MAX(TRY_PARSE_JSON({identifier("origin")}):"rows"::INT) AS BEFORE_COUNT'
        f" FROM {place.schema.state} WHERE {before}"
    )
    empty = "CASE WHEN COUNTED = 0 THEN 1 ELSE 0 END" if name in own.required else "0"
    shrunk = "CASE WHEN 2 * COUNTED < BEFORE_COUNT THEN 1 ELSE 0 END"
    return insertion(
        place.checks,
        recipe.deployment,
        name,
        f"SELECT * FROM (SELECT COUNT(*) AS COUNTED FROM {table}) AS S\nCROSS JOIN ({known}) AS B",
        [named(FILLED), named(GROWS)],
        violations=f"CASE {NUMBER} WHEN 0 THEN {empty} ELSE {shrunk} END",
        rows="COUNTED",
    )


def _fits(recipe: Recipe) -> Iterator[str]:
    """Yield the statements that count values of sources which their contracts do not have."""
    place = recipe.place
    for name, each in place.sources.items():
        query = each.source.count(each.namespace, MOMENT)
        if query is None:
            continue
        numbers = range(len(each.source.doubtful()))
        total = " + ".join(identifier(f"n{number}") for number in numbers)
        yield insertion(
            place.checks,
            recipe.deployment,
            name,
            query.sql(ddl.DIALECT, pretty=True),
            [named(FITTING)],
            violations=total,
        )


def _refuse_failed(recipe: Recipe, names: Sequence[str]) -> tuple[Step, ...]:
    tables = ", ".join(map(literal, dict.fromkeys(names)))
    return (
        Set(
            "FOUND",
            f"SELECT COUNT(*) FROM {recipe.place.checks}\nWHERE {of_this_run()}"
            f" AND {identifier('outcome')} = 'fail' AND {identifier('table_name')} IN ({tables})",
        ),
        Refuse("FOUND > 0", NOT_HELD),
    )


def of_this_run() -> str:
    """Return the condition on rows that this run has written."""
    return f"{identifier('run_id')} = :RUN_ID"


def build(recipe: Recipe, each: ScheduledMart) -> Procedure:
    """Return the procedure that builds a mart's candidate and checks it.

    The rows are counted and hashed before they are checked: what is published must be the same.
    """
    place, name = recipe.place, each.name
    candidate = place.candidate(name)
    columns = ", ".join(map(identifier, CHECKS_COLUMNS))
    tables = [name, *(checks.table for checks in each.checks)]
    return recipe.procedure(
        f"BUILD_{name}",
        *found_run(place),
        # Tried again, it must not leave the rows of the first time.
        *_forget(recipe, each),
        Run(ddl.create_table_as(candidate, place.sql(each.query))),
        Run(
            f"INSERT INTO {place.checks} ({columns})\n"
            f"SELECT :RUN_ID, {literal(recipe.deployment)}, {literal(name)}, NULL, NULL, NULL,"
            f" COUNT(*), {contents(each)}\nFROM {candidate}"
        ),
        *(
            Run(recorded(checks, place.sql(checks.query), place.checks, recipe.deployment))
            for checks in each.checks
        ),
        *_refuse_failed(recipe, tables),
        variables={**RUN, "FOUND": "INT"},
    )


def _forget(recipe: Recipe, each: ScheduledMart) -> Iterator[Step]:
    place, own = recipe.place, each.name
    names = {(checks.table, check.name) for checks in each.checks for check in checks.checks}
    pairs = sorted(names)
    listed = " OR ".join(
        f"({identifier('table_name')} = {literal(table)}"
        f" AND {identifier('check_name')} = {literal(check)})"
        for table, check in pairs
    )
    its_own = (
        f"({identifier('table_name')} = {literal(own)} AND {identifier('check_name')} IS NULL)"
    )
    condition = f"{its_own} OR {listed}" if listed else its_own
    yield Run(f"DELETE FROM {place.checks}\nWHERE {of_this_run()} AND ({condition})")


def contents(each: ScheduledMart) -> str:
    """Return an expression of the number of a table's rows, and a hash of them."""
    names = ", ".join(map(identifier, each.schema.names))
    return f"COUNT(*) || ' ' || HASH_AGG({names})"
