"""Sessions as Snowflake has them: with a number, a role, a warehouse, and an end."""

from __future__ import annotations

import itertools
import json
import shutil
import threading
from collections.abc import Mapping
from typing import Any

from sqlglot import Expr, exp
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from emulator.patched import server, stage
from emulator.statements import target

NUMBERS = itertools.count(1001)


async def login(request: Request, parameters: Mapping[str, Any]) -> Response:
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
    connection.role, connection.warehouse = asked.get("roleName"), asked.get("warehouse")
    connection.parameters = {name.upper(): value for name, value in parameters.items()}
    # That is our transactions' affair.
    connection._autocommit = True
    connection.cancelled = threading.Event()
    connection.temporary_stages = []
    connection.temporary_tables = []
    data["sessionInfo"] = {
        "databaseName": connection.database,
        "schemaName": connection.schema,
        "roleName": connection.role,
        "warehouseName": connection.warehouse,
    }
    return JSONResponse(said)


async def end(request: Request) -> Response:
    """End a session, and with it its temporary stages and tables."""
    connection = server.sessions.get(server.to_token(request))
    response: Response = await server.session(request)
    if connection and request.query_params.get("delete"):
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
    return response


def note_temporary_stage(tree: Expr, cursor: Any) -> Expr:
    """Remember which temporary stages a session created."""
    if isinstance(tree, exp.Create) and tree.kind == "STAGE" and tree.find(exp.TemporaryProperty):
        table, session = target(tree), cursor._conn
        names = (table.catalog or session.database, table.db or session.schema, table.name)
        session.temporary_stages.append(names)
    return tree


def make_temporary_table(tree: Expr, cursor: Any) -> Expr:
    """Create a temporary table as an ordinary one, and remember which session it ends with."""
    if isinstance(tree, exp.Create) and tree.kind == "TABLE":
        for temporary in list(tree.find_all(exp.TemporaryProperty)):
            temporary.pop()
            cursor._conn.temporary_tables.append(target(tree).sql("duckdb"))
    return tree


FUNCTIONS = {
    exp.CurrentSession: "number",
    exp.CurrentRole: "role",
    exp.CurrentWarehouse: "warehouse",
    exp.CurrentDatabase: "database",
    exp.CurrentSchema: "schema",
}


def answer_functions(tree: Expr, cursor: Any) -> Expr:
    """Replace CURRENT_ROLE() and its like by what the session says, and carry out a cancel."""
    for call in list(tree.find_all(*FUNCTIONS)):
        value = getattr(cursor._conn, FUNCTIONS[type(call)])
        call.replace(exp.cast(exp.Literal.string(value) if value else exp.null(), "VARCHAR"))
    for call in list(tree.find_all(exp.Anonymous)):
        if call.name.upper() == "SYSTEM$CANCEL_ALL_QUERIES":
            call.replace(exp.Literal.string(cancel(call.expressions[0].name)))
    return tree


def cancel(number: str) -> str:
    """Cancel what runs in a session."""
    for connection in list(server.sessions.values()):
        if connection.number == number:
            connection.cancelled.set()
            connection._duck_conn.interrupt()
    return f"queries of session {number} cancelled"
