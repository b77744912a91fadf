"""The last procedures of a scheduled run: it publishes all marts or none, and records how it ended.

The transaction is that of `snowflake_publication`, from the same statements: the lock, a look
whether others have published meanwhile, an overwrite of each mart whose rows differ, the record,
the commit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import sqlglot.expressions as sge

from backends import snowflake_ddl as ddl
from backends.snowflake_ddl import identifier, literal
from backends.snowflake_expression import Expression
from backends.snowflake_pinning import FORMAT
from backends.snowflake_runs_ddl import update_run
from backends.snowflake_scripting import Immediate, Procedure, Refuse, Run, Set, Step, When
from backends.snowflake_shape import declared
from backends.snowflake_state import LOCK, MARKER, NOBODY, SEPARATOR
from backends.snowflake_task_place import TaskPlace
from backends.snowflake_task_steps import (
    NOT_HELD,
    NOW,
    RUN,
    Recipe,
    catalog,
    contents,
    described,
    found_run,
    of_this_run,
    seen,
)
from marts.core.plan.runs import RUNS_TABLE
from marts.core.plan.schedule import PARAMETER, ScheduledMart
from marts.core.plan.state import STATE_COLUMNS, RecordedTable

NOT_CODE = """'([^']|'')*'|"[^"]*\""""
GOVERNED = (" POLICY ", " TAG (", " SECURE ")
"""Words in the DDL of a view that `CREATE OR REPLACE` would lose."""
RUN_ID, AS_OF = Expression(":RUN_ID"), Expression(":AS_OF")
VARIABLES = {
    **RUN,
    "FOUND": "INT",
    "NOW_SEEN": "VARCHAR",
    "BEFORE_SEEN": "VARCHAR",
    "OLD": "VARCHAR",
    "DDL": "VARCHAR",
    "DEFINITION": "VARCHAR",
    "STATEMENT": "VARCHAR",
}


def publish(recipe: Recipe) -> Procedure:
    """Return the procedure that publishes all marts if this run's checks are all there and hold."""
    place = recipe.place
    tables = [each for each in place.schedule.published if each.kind == "table"]
    views = [each for each in place.schedule.published if each.kind == "view"]
    built = {f"BUILT_{n}": each for n, each in enumerate(tables)}
    return recipe.procedure(
        "PUBLISH",
        *found_run(place),
        *_refuse_unchecked(recipe),
        *_refuse_replaced_sources(place),
        *_refuse_other_shapes(place, tables),
        *_refuse_governed(place, views),
        *(Set(name, _checked_contents(place, each)) for name, each in built.items()),
        Run(update_run(_runs(place), {"run_id": RUN_ID, **_announced()})),
        Run(ddl.BEGIN),
        *_transaction(recipe, built),
        Run(ddl.COMMIT),
        *(step for each in views for step in _view(recipe, each)),
        variables={**VARIABLES, **dict.fromkeys(built, "VARCHAR")},
        rolls_back=True,
    )


def _runs(place: TaskPlace) -> str:
    return place.target(RUNS_TABLE)


def _announced() -> dict[str, object]:
    return {"status": "publishing", "publishing_since": Expression(NOW)}


def _refuse_unchecked(recipe: Recipe) -> Iterator[Step]:
    """Yield the steps that count this run's checks: a task that was suspended counts as done."""
    checks, own = recipe.place.checks, literal(recipe.deployment)
    deployment, outcome = identifier("deployment"), identifier("outcome")
    where = f"FROM {checks}\nWHERE {of_this_run()} AND {deployment} = {own}"
    yield Set("FOUND", f"SELECT COUNT(*) {where}")
    yield Refuse(
        f"FOUND <> {recipe.expected}",
        "checks of this run are missing: a task was suspended, skipped or replaced meanwhile",
    )
    yield Set("FOUND", f"SELECT COUNT(*) {where} AND {outcome} = 'fail'")
    yield Refuse("FOUND > 0", NOT_HELD)


def _refuse_replaced_sources(place: TaskPlace) -> Iterator[Step]:
    """Yield the steps that refuse sources which were replaced or altered since the moment.

    A moment pins the rows of a table, but neither its name nor its columns.
    """
    since = f"TO_TIMESTAMP_TZ(:MOMENT, {literal(FORMAT)})"
    for name, each in place.sources.items():
        where = [
            f"{identifier('table_schema')} = {literal(each.namespace.schema)}",
            f"{identifier('table_name')} = {literal(each.source.table)}",
            f"{identifier('created')} <= {since} AND {identifier('last_ddl')} <= {since}",
        ]
        yield Set("FOUND", catalog(each.namespace.database, "TABLES", where))
        yield Refuse("FOUND <> 1", f"source {name} was replaced or altered while this run read it")


def _refuse_other_shapes(place: TaskPlace, tables: Sequence[ScheduledMart]) -> Iterator[Step]:
    """Yield the steps that refuse a published mart which has other columns than the new one."""
    for each in tables:
        shape = declared("table", each.schema)
        words = [
            f"{column.name} NUMBER({column.scale})"
            if column.word == "NUMBER"
            else f"{column.name} {column.word}"
            for column in shape.columns.values()
        ]
        fits = f"{described(precision=False)} IN ({', '.join(map(literal, words))})"
        where = [
            f"{identifier('table_schema')} = {literal(place.schema.namespace.schema)}",
            f"{identifier('table_name')} = {literal(each.name.upper())}",
        ]
        database = place.schema.namespace.database
        others = catalog(database, "COLUMNS", [*where, f"NOT ({fits})"])
        yield Set("FOUND", catalog(database, "COLUMNS", [*where, fits]) + f"\n  AND 0 = ({others})")
        yield Refuse(
            f"FOUND <> {len(words)}",
            f"the published {each.name} has other columns: run marts deploy again",
        )


def _refuse_governed(place: TaskPlace, views: Sequence[ScheduledMart]) -> Iterator[Step]:
    """Yield the steps that refuse to replace a view with policies or tags, which would be lost.

    Texts and quoted names in its DDL say nothing.
    """
    words = " OR ".join(f"CONTAINS(UPPER(:DDL), '{word}')" for word in GOVERNED)
    for each in views:
        entity = literal(place.target(each.name))
        yield Set("FOUND", _existing(place, each))
        yield When(
            "FOUND > 0",
            (
                Set("DDL", f"SELECT GET_DDL('VIEW', {entity}, TRUE) AS \"ddl\""),
                Set("DDL", f"SELECT REGEXP_REPLACE(:DDL, {literal(NOT_CODE)}, '')"),
                Set("FOUND", f"SELECT CASE WHEN {words} THEN 1 ELSE 0 END"),
                Refuse(
                    "FOUND > 0",
                    f"the view {each.name} has a policy or a tag, or is secure, which would be"
                    " lost: make it a table",
                ),
            ),
        )


def _existing(place: TaskPlace, each: ScheduledMart) -> str:
    where = [
        f"{identifier('table_schema')} = {literal(place.schema.namespace.schema)}",
        f"{identifier('table_name')} = {literal(each.name.upper())}",
        f"{identifier('table_type')} = 'VIEW'",
    ]
    return catalog(place.schema.namespace.database, "TABLES", where)


def _checked_contents(place: TaskPlace, each: ScheduledMart) -> str:
    return (
        f"SELECT {identifier('contents')} FROM {place.checks}\nWHERE {of_this_run()}"
        f" AND {identifier('table_name')} = {literal(each.name)}"
        f" AND {identifier('check_name')} IS NULL"
    )


def _transaction(recipe: Recipe, built: dict[str, ScheduledMart]) -> Iterator[Step]:
    """Yield the steps between the beginning of the transaction and its commit."""
    place, state = recipe.place, recipe.place.schema.state
    # The row that publishers queue at; then nobody else publishes until the commit.
    yield Run(ddl.lock(state, RUN_ID, kind=LOCK))
    locked = f"{ddl.recorded_of(state, LOCK, LOCK)} AND {of_this_run()}"
    yield Set("FOUND", locked)
    yield Refuse("FOUND <> 1", "the state table has lost its row to queue at: deploy again")
    yield Set("FOUND", ddl.recorded_of(state, RUN_ID, MARKER))
    yield Refuse("FOUND > 0", "this run has published already")
    yield Set("NOW_SEEN", seen(place))
    yield Set("BEFORE_SEEN", f"SELECT {identifier('seen')} FROM {place.runs} WHERE {of_this_run()}")
    yield Refuse("NOW_SEEN <> BEFORE_SEEN", "another run published meanwhile")
    yield from _refuse_others(place)
    for name, each in built.items():
        yield from _overwrite(place, name, each)
    yield Run(ddl.merge_state(state, list(_records(recipe, built))))
    yield Run(
        f"DELETE FROM {state} WHERE {identifier('kind')} = {literal(MARKER)}"
        f" AND {identifier('name')} <> :RUN_ID"
        f" AND {identifier('published_at')} < DATEADD(DAY, -1, {NOW})"
    )


def _refuse_others(place: TaskPlace) -> Iterator[Step]:
    """Yield the steps that refuse tables which another package or group has taken over since."""
    own = place.schedule
    package, name = identifier("package"), identifier("name")
    names = [each.name for each in own.published]
    yield Set(
        "FOUND",
        f"SELECT SUM(CASE WHEN {package} = {literal(own.package)} THEN 1 ELSE -1 END)\n"
        f"FROM {place.schema.state} WHERE {name} IN ({', '.join(map(literal, names))})"
        f" AND {identifier('kind')} IN ('table', 'view')",
    )
    yield Refuse(
        f"FOUND IS NULL OR FOUND <> {len(names)}",
        "another package or group has taken over a mart: run marts deploy again",
    )


def _overwrite(place: TaskPlace, variable: str, each: ScheduledMart) -> Iterator[Step]:
    """Yield the steps that overwrite a mart unless it has the same rows; they must be the checked.

    The recorded digest counts, too: a policy may hide rows or values of the target.
    """
    name = each.name
    target, candidate = place.target(name), place.candidate(name)
    yield Set("OLD", f"SELECT {contents(each)} FROM {candidate}")
    yield Refuse(
        f"{variable} IS NULL OR OLD <> {variable}",
        f"the candidate of {name} is not what was checked: it was replaced",
    )
    yield Set("OLD", f"SELECT {contents(each)} FROM {target}")
    yield Set(
        "FOUND",
        f"SELECT COUNT(*) FROM {place.schema.state} WHERE {identifier('name')} = {literal(name)}"
        f" AND {identifier('version')} LIKE ('%{SEPARATOR}' || :{variable})",
    )
    yield When(
        f"OLD <> {variable} OR FOUND = 0",
        (
            Run(ddl.overwrite(target, candidate, each.schema.names)),
            Set("OLD", f"SELECT COUNT(*) || ' ' FROM {target}"),
            Refuse(
                f"NOT STARTSWITH({variable}, OLD)",
                f"not all rows of {name} can be seen after writing them: a row access policy must"
                " let the building role see all rows",
            ),
        ),
    )


def _records(recipe: Recipe, built: dict[str, ScheduledMart]) -> Iterator[dict[str, object]]:
    own = recipe.place.schedule
    for variable, each in built.items():
        version = Expression(f"'{SEPARATOR}' || :{variable}")
        yield _recorded(recipe, each, version)
    for name in own.relied_on:
        found = Expression(f"({_found_of(recipe, name)})")
        row = RecordedTable(own.package, name, "source", RUN_ID, None, None, found)
        yield _row(row)
    yield _row(RecordedTable(NOBODY, RUN_ID, MARKER, RUN_ID))


def _recorded(recipe: Recipe, each: ScheduledMart, version: Expression) -> dict[str, object]:
    """Return the row of a mart: without a fingerprint, so that `marts run` builds it anew.

    The version is that of the engine's catalog, which a task does not know: only the digest is.
    """
    own = recipe.place.schedule
    proof = own.proofs.get(each.name)
    return _row(
        RecordedTable(own.package, each.name, each.kind, RUN_ID, None, version, None, proof)
    )


def _row(row: RecordedTable) -> dict[str, object]:
    values = {"as_of": AS_OF, "published_at": Expression(NOW)}
    return {name: values.get(name) or getattr(row, name) for name in STATE_COLUMNS}


def _found_of(recipe: Recipe, name: str) -> str:
    """Return a query of what was found of a source, as `CheckedSource` writes it.

    It has no version: the next `marts run` makes all checks.
    """
    place = recipe.place
    own = f"FROM {place.checks} WHERE {of_this_run()} AND {identifier('table_name')} = "
    check, count = identifier("check_name"), identifier("row_count")
    rows = f"SELECT MAX({count}) {own}{literal(name)} AND {check} = 'not_shrunk'"
    orphans = sorted(
        each
        for checks in place.schedule.on_sources
        if checks.table == name
        for each in checks.orphans
    )
    violations = f"MAX({identifier('violations')})"
    shares = " || ', ' || ".join(
        f"(SELECT {literal(json.dumps(each) + ': ')}"
        f" || COALESCE(CAST({violations} / NULLIF(({rows}), 0) AS FLOAT), 0)"
        f" {own}{literal(name)} AND {check} = {literal(each)})"
        for each in orphans
    )
    between = f" || {shares}" if shares else ""
    return (
        f'SELECT \'{{"checks": [], "orphans": {{\'{between} || \'}}, "rows": \' || ({rows})'
        ' || \', "version": ""}\''
    )


def _view(recipe: Recipe, each: ScheduledMart) -> Iterator[Step]:
    """Yield the steps that create a view with the run's date in its text, or leave the same one."""
    place, mart = recipe.place, each
    text = literal(place.definition(each.query))
    for days in sorted(_days(each)):
        day = f"DATEADD(DAY, {days}, :AS_OF)" if days else ":AS_OF"
        parts = " || ', ' || ".join(f"{part}({day})" for part in ("YEAR", "MONTH", "DAY"))
        date = f"'DATE_FROM_PARTS(' || {parts} || ')'"
        text = f"REPLACE({text}, '{PARAMETER}({days})', {date})"
    yield Set("DEFINITION", f"SELECT {text}")
    yield Set("STATEMENT", _existing(place, each))
    create = [
        ddl.create_view(
            place.target(mart.name),
            "",
            columns=each.schema.names,
            comment=mart.comment,
            column_comments=each.column_comments,
            kept=kept,
        )
        for kept in (ddl.KEPT, ddl.NOTHING)
    ]
    version = f"'{SEPARATOR}' || SHA2(:DEFINITION, 256)"
    yield Set(
        "FOUND",
        f"SELECT COUNT(*) FROM {place.schema.state} WHERE {identifier('name')} ="
        f" {literal(mart.name)} AND :STATEMENT <> '0'"
        f" AND {identifier('version')} LIKE ('%{SEPARATOR}' || SHA2(:DEFINITION, 256))",
    )
    yield When(
        "FOUND = 0",
        (
            Set(
                "STATEMENT",
                f"SELECT CASE :STATEMENT WHEN '0' THEN {literal(create[1])}"
                f" ELSE {literal(create[0])} END || :DEFINITION",
            ),
            Immediate("STATEMENT"),
        ),
    )
    yield Run(ddl.merge_state(place.schema.state, [_recorded(recipe, each, Expression(version))]))


def _days(each: ScheduledMart) -> set[int]:
    """Return by how many days the dates in a view's text differ from the run's."""
    calls = each.query.tree.find_all(sge.Anonymous)
    return {int(call.expressions[0].sql()) for call in calls if call.name == PARAMETER}
