"""The finalizer of a scheduled run: it records how the run ended, and drops its candidates."""

from __future__ import annotations

from collections.abc import Iterator

from backends import snowflake_ddl as ddl
from backends.snowflake_ddl import identifier, literal
from backends.snowflake_expression import Expression
from backends.snowflake_runs_ddl import update_run
from backends.snowflake_scripting import Procedure, Run, Set
from backends.snowflake_state import MARKER
from backends.snowflake_task_place import TaskPlace
from backends.snowflake_task_publication import RUN_ID
from backends.snowflake_task_steps import KEPT_DAYS, NOW, RUN, Recipe, found_run, of_this_run
from marts.core.plan.runs import RUNS_TABLE


def finish(recipe: Recipe) -> Procedure:
    """Return the procedure of the finalizer: it records how the run ended, and drops candidates."""
    place = recipe.place
    state, views = (
        place.schema.state,
        [each.name for each in place.schedule.published if each.kind == "view"],
    )
    is_new = f"SELECT COUNT(*) FROM {state} WHERE {of_this_run()} AND {identifier('kind')} = 'view'"
    return recipe.procedure(
        "FINISH",
        *found_run(place),
        Set("FOUND", ddl.recorded_of(state, RUN_ID, MARKER)),
        Set("VIEWS", is_new),
        Set("FAILED", _failed(place)),
        Set("RESULTS", _results(place)),
        Set(
            "STATUS",
            f"SELECT CASE WHEN :FOUND > 0 AND :VIEWS < {len(views)} THEN 'partly_published'"
            " WHEN :FOUND > 0 THEN 'published' WHEN :FAILED <> '' THEN 'failed' ELSE 'error' END",
        ),
        Run(update_run(place.target(RUNS_TABLE), {"run_id": RUN_ID, **_ended(recipe)})),
        *(Run(ddl.drop("table", place.candidate(e.name))) for e in place.schedule.marts),
        *(Run(sql) for sql in _old_rows(place)),
        variables={
            **RUN,
            "FOUND": "INT",
            "VIEWS": "INT",
            "FAILED": "VARCHAR",
            "RESULTS": "VARCHAR",
            "STATUS": "VARCHAR",
        },
    )


def _failed(place: TaskPlace) -> str:
    table, check = identifier("table_name"), identifier("check_name")
    return (
        f"SELECT COALESCE(LISTAGG({table} || '.' || {check}, ', ')"
        f" WITHIN GROUP (ORDER BY {table}, {check}), '')\n"
        f"FROM {place.checks} WHERE {of_this_run()} AND {identifier('outcome')} = 'fail'"
    )


def _results(place: TaskPlace) -> str:
    """Return a query of what was found of each table, as `results_text` writes it."""
    table, check = identifier("table_name"), identifier("check_name")
    escaped = f"REPLACE(REPLACE({check}, '\\\\', '\\\\\\\\'), '\"', '\\\\\"')"
    one = (
        f"CASE WHEN {check} IS NOT NULL THEN '\"' || {escaped} || '\": [\"' ||"
        f" {identifier('outcome')} || '\", ' || {identifier('violations')} || ']' END"
    )
    rows = (
        f"MAX(CASE WHEN {check} IS NULL OR {check} = 'not_shrunk' THEN"
        f" {identifier('row_count')} END)"
    )
    return (
        "SELECT '{' || LISTAGG(RESULT, ', ') WITHIN GROUP (ORDER BY RESULT) || '}'\n"
        f"FROM (SELECT '\"' || {table} || '\": {{\"checks\": {{' ||"
        f" LISTAGG({one}, ', ') WITHIN GROUP (ORDER BY {check}) || '}}' ||"
        f" COALESCE(', \"rows\": ' || {rows}, '') || '}}' AS RESULT\n"
        f"  FROM {place.checks} WHERE {of_this_run()} GROUP BY {table}) AS T"
    )


def _ended(recipe: Recipe) -> dict[str, object]:
    place = recipe.place
    own = [each.name for each in place.schedule.published]
    listed = ", ".join(map(literal, own))
    built = (
        f"FROM {place.checks} WHERE {of_this_run()} AND {identifier('check_name')} IS NULL"
        f" AND {identifier('table_name')} IN ({listed})"
    )
    made = f"SELECT COUNT(*) FROM {place.checks} WHERE {of_this_run()}"

    def counted(outcome: str) -> Expression:
        return Expression(f"({made} AND {identifier('outcome')} = {literal(outcome)})")

    published = f"CASE WHEN :FOUND > 0 THEN {len(own)} ELSE 0 END"
    return {
        "status": Expression(":STATUS"),
        "ended_at": Expression(NOW),
        "seconds": Expression(f"DATEDIFF(SECOND, {identifier('started_at')}, {NOW})"),
        "marts_built": Expression(f"(SELECT COUNT(*) {built})"),
        "marts_published": Expression(published),
        "marts_unchanged": 0,
        "rows_built": Expression(f"(SELECT COALESCE(SUM({identifier('row_count')}), 0) {built})"),
        "checks_made": Expression(f"({made} AND {identifier('check_name')} IS NOT NULL)"),
        "checks_passed": counted("pass"),
        "checks_warned": counted("warn"),
        "checks_acknowledged": counted("acknowledged"),
        "checks_failed": counted("fail"),
        "error": Expression(
            "CASE :STATUS WHEN 'failed' THEN 'checks that did not hold: ' || :FAILED"
            " WHEN 'error' THEN 'a task failed, or was suspended or skipped: TASK_HISTORY has its"
            " error' WHEN 'partly_published' THEN 'a view was not replaced: TASK_HISTORY has why'"
            " END"
        ),
        "results": Expression(":RESULTS"),
    }


def _old_rows(place: TaskPlace) -> Iterator[str]:
    ids = (
        f"SELECT {identifier('run_id')} FROM {place.target(RUNS_TABLE)}"
        f" WHERE {identifier('started_at')} < DATEADD(DAY, -{KEPT_DAYS}, {NOW})"
    )
    for table in (place.checks, place.runs):
        yield f"DELETE FROM {table} WHERE {identifier('run_id')} IN ({ids})"
