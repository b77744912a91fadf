"""Sessions as Snowflake has them: with a number, a role, a warehouse, and an end."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlglot import Expr, exp, parse_one
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from backends.emulator import transactions
from backends.emulator.patched import server, stage
from backends.emulator.statements import target

NUMBERS = itertools.count(1001)
CANCELLED_WITHIN = 5.0


@dataclass(eq=False)
class Line:
    """What lies between a session and its client: connections, and what became of them.

    `gone` is how the requests of a lost session are answered, `dead` the fault that leaves them
    unanswered. `running` has executions; one has its `turn` at a time.
    """

    gone: str | None = None
    dead: Mapping[str, Any] | None = None
    transports: set[Any] = field(default_factory=set)
    running: set[Any] = field(default_factory=set)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    silent_since: float | None = None

    def is_over(self, seconds: float) -> bool:
        """Tell whether the client has been gone for some seconds: killed, lost or cut off."""
        self.transports = {each for each in self.transports if not each.is_closing()}
        if self.transports and not self.gone and not self.dead:
            self.silent_since = None
            return False
        self.silent_since = self.silent_since or time.monotonic()
        return time.monotonic() - self.silent_since >= seconds


def transport(request: Request) -> Any:
    """Return the connection by which a request came, of uvicorn's."""
    return request.receive.__self__.transport  # type: ignore[attr-defined]


async def login(request: Request, user: str, parameters: Mapping[str, Any]) -> Response:
    """Log in; keep who logged in as what, and tell the connector, as Snowflake does."""
    said = json.loads((await server.login_request(request)).body)
    data, asked = said["data"], request.query_params
    connection = server.sessions[data["token"]]
    if not connection.database_set:
        connection.database = None
    if not connection.schema_set:
        connection._schema = None
    data["sessionId"] = next(NUMBERS)
    # Without it the connector does not end its session.
    data["masterToken"] = data["token"]
    connection.number = str(data["sessionId"])
    connection.user = user.upper()
    # A user without a default role has PUBLIC.
    connection.role = asked.get("roleName") or "PUBLIC"
    connection.warehouse = asked.get("warehouse")
    connection.parameters = {name.upper(): value for name, value in parameters.items()}
    # That is our transactions' affair.
    connection._autocommit = True
    connection.line = Line(transports={transport(request)})
    connection.temporary_stages = []
    connection.temporary_tables = []
    data["sessionInfo"] = {
        "databaseName": connection.database,
        "schemaName": connection.schema,
        "roleName": connection.role,
        "warehouseName": connection.warehouse,
    }
    return JSONResponse(said)


def no_session() -> JSONResponse:
    """Answer a request of a session that has ended."""
    words = "Session no longer exists.  New login required to access the service."
    return JSONResponse({"data": None, "code": "390111", "message": words, "success": False})


async def end(request: Request) -> Response:
    """End a session, and with it its temporary stages and tables."""
    connection = server.sessions.get(server.to_token(request))
    response: Response = await server.session(request)
    if connection and request.query_params.get("delete"):
        await run_in_threadpool(_close, connection)
    return response


def _close(connection: Any) -> None:
    stop(connection, list(connection.line.running))
    deadline = time.monotonic() + CANCELLED_WITHIN
    while connection.line.running and time.monotonic() < deadline:
        time.sleep(0.01)
    transactions.roll_back(connection)
    for names in connection.temporary_stages:
        connection._duck_conn.execute(
            "delete from _fs_global._fs_information_schema._fs_stages"
            " where (database_name, schema_name, name) = ($1, $2, $3)",
            names,
        )
        shutil.rmtree(stage.internal_dir(".".join(names)), ignore_errors=True)
    for table in connection.temporary_tables:
        connection._duck_conn.execute(f"drop table if exists {table}")
    connection.close()


def note_temporary_stage(tree: Expr, cursor: Any) -> Expr:
    """Remember which temporary stages a session created."""
    if isinstance(tree, exp.Create) and tree.kind == "STAGE" and tree.find(exp.TemporaryProperty):
        table, session = target(tree), cursor._conn
        names = (table.catalog or session.database, table.db or session.schema, table.name)
        session.temporary_stages.append(names)
    return tree


PARAMETERS = re.compile(
    r"SHOW\s+PARAMETERS(?:\s+LIKE\s+'([^']*)')?(?:\s+(?:IN|FOR)\s+(SESSION|SCHEMA\s+.*))?",
    re.IGNORECASE | re.DOTALL,
)
OF_SCHEMAS = {"DEFAULT_DDL_COLLATION": "", "DEFAULT_METADATA_WRITE_FORMAT": "SNOWFLAKE"}


def show_parameters(tree: Expr, cursor: Any) -> Expr:
    """Answer SHOW PARAMETERS: those with which the session logged in, or a schema's defaults."""
    found = isinstance(tree, exp.Command) and PARAMETERS.fullmatch(tree.sql("snowflake"))
    if not found:
        return tree
    pattern, where = found.groups()
    of_session = (where or "SESSION").upper() == "SESSION"
    known = cursor._conn.parameters if of_session else OF_SCHEMAS
    like = "^" + re.escape(pattern or "%").replace("%", ".*") + "$"
    columns = ("key", "value", "default", "level", "description", "type")
    selects = [
        ", ".join(
            f'{exp.Literal.string(text).sql()} AS "{column}"'
            for column, text in zip(columns, (name, _shown(value), "", "", "", ""), strict=True)
        )
        for name, value in sorted(known.items())
        if re.match(like, name, re.IGNORECASE)
    ]
    return parse_one(" UNION ALL ".join(f"SELECT {select}" for select in selects), read="duckdb")


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def make_temporary_table(tree: Expr, cursor: Any) -> Expr:
    """Create a temporary table as an ordinary one, and remember which session it ends with."""
    if isinstance(tree, exp.Create) and tree.kind == "TABLE":
        for temporary in list(tree.find_all(exp.TemporaryProperty)):
            temporary.pop()
            cursor._conn.temporary_tables.append(target(tree).sql("duckdb"))
    return tree


FUNCTIONS = {
    exp.CurrentSession: "number",
    exp.CurrentUser: "user",
    exp.CurrentRole: "role",
    exp.CurrentWarehouse: "warehouse",
    exp.CurrentDatabase: "database",
    exp.CurrentSchema: "schema",
}


def answer_functions(tree: Expr, cursor: Any) -> Expr:
    """Replace CURRENT_ROLE() and its like by what the session says."""
    for call in list(tree.find_all(*FUNCTIONS)):
        value = getattr(cursor._conn, FUNCTIONS[type(call)])
        call.replace(exp.cast(exp.Literal.string(value) if value else exp.null(), "VARCHAR"))
    for call in list(tree.find_all(exp.Anonymous)):
        if call.name.upper() in ACTIONS:
            number = call.expressions[0].name
            call.replace(exp.Literal.string(f"{ANSWERS[call.name.upper()]}: {number}"))
    return tree


def answer_roles(tree: Expr, cursor: Any) -> Expr:
    """Answer IS_ROLE_IN_SESSION(role): it has its own, and SYSADMIN, which owns what there is."""
    for call in list(tree.find_all(exp.Anonymous)):
        if call.name.upper() == "IS_ROLE_IN_SESSION":
            has = call.expressions[0].name in (cursor._conn.role, "SYSADMIN")
            call.replace(exp.Boolean(this=has))
    return tree


def cancel(number: str) -> None:
    """Cancel what runs in a session."""
    for connection in list(server.sessions.values()):
        if connection.number == number:
            stop(connection, list(connection.line.running))


def stop(connection: Any, executions: Iterable[Any]) -> None:
    """Cancel executions of a session."""
    for execution in executions:
        execution.cancelled.set()
    connection._duck_conn.interrupt()


def abort(number: str) -> None:
    """Cancel what runs in a session, roll its transaction back, and end it."""
    for token, connection in list(server.sessions.items()):
        if connection.number == number:
            server.sessions.pop(token, None)
            _close(connection)


ACTIONS: Mapping[str, Callable[[str], None]] = {
    "SYSTEM$CANCEL_ALL_QUERIES": cancel,
    "SYSTEM$ABORT_SESSION": abort,
}
ANSWERS = {
    "SYSTEM$CANCEL_ALL_QUERIES": "queries of the session cancelled",
    "SYSTEM$ABORT_SESSION": "session aborted",
}
CALL = re.compile(r"(SYSTEM\$\w+)\s*\(\s*'?(\d+)'?\s*\)", re.IGNORECASE)


def act(sql: str) -> None:
    """Carry out the calls in a statement that cancel queries or end a session."""
    for name, number in CALL.findall(sql):
        if action := ACTIONS.get(name.upper()):
            action(number)
