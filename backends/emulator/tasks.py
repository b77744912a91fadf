"""Procedures and tasks, which the emulator only records: it carries none of them out.

https://docs.snowflake.com/en/sql-reference/sql/create-task
"""

from __future__ import annotations

import re

from snowflake.connector.errors import ProgrammingError

from backends.emulator.records import (
    NAME,
    STRING,
    TEXT,
    Relation,
    Session,
    answer,
    handles,
)

COMMENT = re.compile(rf"^COMMENT = {STRING}$", re.MULTILINE)
SCHEDULE = re.compile(rf"^SCHEDULE = {STRING}$", re.MULTILINE)
WAREHOUSE = re.compile(r'^WAREHOUSE = "(.*)"$', re.MULTILINE)


@handles(rf"CREATE\s+OR\s+REPLACE\s+(PROCEDURE|TASK)\s+{NAME}(\([^)]*\))?(\s.*)")
def create(session: Session, kind: str, name: str, arguments: str | None, text: str) -> None:
    """Record a procedure, or a task, which is suspended."""
    found = session.relation(name)
    comment, schedule, warehouse = (
        match[1] if (match := pattern.search(text)) else None
        for pattern in (COMMENT, SCHEDULE, WAREHOUSE)
    )
    types = ", ".join(each.split()[-1] for each in (arguments or "()")[1:-1].split(",") if each)
    drop(session, kind, name, None)
    session.run(
        found.database,
        "insert into _programs values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        *(found.schema, found.name, kind.lower(), comment, "suspended", schedule, warehouse),
        *(f"{found.name}({types}) RETURN VARCHAR", text),
    )


@handles(rf"DROP\s+(PROCEDURE|TASK)\s+IF\s+EXISTS\s+{NAME}(\([^)]*\))?")
def drop(session: Session, kind: str, name: str, _types: str | None) -> None:
    """Forget a procedure or a task."""
    found = session.relation(name)
    if kind.upper() == "TASK":
        _refuse_started(session, found)
    session.run(
        found.database,
        "delete from _programs where program_schema = $1 and program_name = $2 and kind = $3",
        *(found.schema, found.name, kind.lower()),
    )


def _refuse_started(session: Session, task: Relation) -> None:
    """Refuse to drop or replace a task of a graph whose root is started."""
    if not session.run(
        task.database,
        "select 1 from _programs as own join _programs as root using (program_schema, kind)"
        " where program_schema = $1 and own.program_name = $2 and kind = 'task'"
        " and root.program_name = $3 and root.state = 'started'"
        " and (own.text like '%' || chr(10) || 'AFTER %' or own.schedule is not null)",
        *(task.schema, task.name, f"{task.name.rpartition('__')[0]}__BEGIN"),
    ):
        return
    message = "Unable to update graph with root task since that root task is not suspended."
    raise ProgrammingError(msg=message, errno=91421, sqlstate="22023")


@handles(rf"ALTER\s+TASK\s+(?:IF\s+EXISTS\s+)?{NAME}\s+(SUSPEND|RESUME)")
def alter(session: Session, name: str, how: str) -> None:
    """Suspend or resume a task."""
    _set_state(session, name, "started" if how.upper() == "RESUME" else "suspended")


@handles(rf"SELECT\s+SYSTEM\$TASK_DEPENDENTS_ENABLE\({STRING}\)")
def enable(session: Session, root: str) -> None:
    """Resume a root task; those after it are resumed, too."""
    _set_state(session, root, "started")
    found = session.relation(root)
    prefix = found.name.rpartition("__")[0]
    session.run(
        found.database,
        "update _programs set state = 'started' where program_schema = $1"
        " and starts_with(program_name, $2) and kind = 'task'",
        *(found.schema, f"{prefix}__"),
    )


def _set_state(session: Session, name: str, state: str) -> None:
    found = session.relation(name)
    session.run(
        found.database,
        "update _programs set state = $1 where program_schema = $2 and program_name = $3"
        " and kind = 'task'",
        *(state, found.schema, found.name),
    )


@handles(rf"SHOW\s+(PROCEDURE|TASK)S\s+IN\s+SCHEMA\s+{NAME}")
def show(session: Session, kind: str, schema: str) -> str:
    """Return the procedures or tasks of a schema."""
    found = session.schema(schema)
    is_task = kind.upper() == "TASK"
    columns = (
        {"name": TEXT, "comment": TEXT, "state": TEXT, "schedule": TEXT, "warehouse": TEXT}
        if is_task
        else {"name": TEXT, "description": TEXT, "arguments": TEXT}
    )
    listed = (
        "program_name, comment, state, schedule, warehouse"
        if is_task
        else "program_name, comment, arguments"
    )
    rows = session.run(
        found.database,
        f"select {listed} from _programs where program_schema = $1 and kind = $2 order by 1",
        *(found.schema, kind.lower()),
    )
    return answer(columns, rows)
