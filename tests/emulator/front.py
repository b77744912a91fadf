"""The emulator's front: records what arrives, and fails or stalls where a test wants it to."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import uuid
from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulator import sessions
from emulator.patched import server

POLL_SECONDS = 0.02
FAILED = b'"success":false}'
# What the connector puts before an error's words; fakesnow has it in the words already.
FORMATTED = re.compile(r"^\d{6} \(\w+\): (None: )?")


def failure(errno: int, sqlstate: str, message: str) -> JSONResponse:
    """Answer a statement, or a login, with an error as Snowflake words it."""
    code = f"{errno:06d}"
    data = {"errorCode": code, "sqlState": sqlstate, "queryId": str(uuid.uuid4())}
    return JSONResponse({"data": data, "code": code, "message": message, "success": False})


async def content(request: Request) -> dict[str, Any]:
    """Return what a request says, which the connector may have compressed."""
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    found: dict[str, Any] = json.loads(body)
    return found


def without_http_500(response: Response) -> Response:
    """Return an answer whose errors are Snowflake's: the connector retries an HTTP 500."""
    body = bytes(response.body)
    if response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
        return failure(603, "XX000", f"SQL execution internal error:\n{body.decode()}")
    if body.endswith(FAILED):
        said = json.loads(body)
        message = FORMATTED.sub("", said["message"])
        return failure(int(said["code"]), said["data"]["sqlState"], message)
    return response


class Front:
    """Stands before fakesnow's handlers.

    The control file is read for every statement. It is absent, or JSON: `{"fail": {"pattern": …,
    "errno": …, "sqlstate": …, "message": …}, "stall": {"pattern": …}}`. `fail` may
    have `"status"` instead, an HTTP status, and `"times"`, after which it fails no longer. A
    stalled statement goes on when the file changes its mind, ends when somebody cancels it.
    """

    def __init__(self, record: Path | None, control: Path | None) -> None:
        self.record_file = record
        self.control_file = control
        self.failed: Counter[str] = Counter()

    def application(self) -> Starlette:
        """Return fakesnow's application, with this front before it."""
        endpoints = {
            "/session/v1/login-request": self.login,
            "/session": sessions.end,
            "/queries/v1/query-request": self.query,
            "/queries/v1/abort-request": self.abort,
        }
        routes = [Route(path, endpoint, methods=["POST"]) for path, endpoint in endpoints.items()]
        rest = [route for route in server.routes if route.path not in endpoints]
        return Starlette(routes=[*routes, *rest])

    async def login(self, request: Request) -> Response:
        """Record a login, less its secrets, and let it in."""
        data = (await content(request))["data"]
        named = ("databaseName", "schemaName", "warehouse", "roleName")
        self.record(
            "login",
            user=data.get("LOGIN_NAME"),
            authenticator=data.get("AUTHENTICATOR", "SNOWFLAKE"),
            session_parameters=data.get("SESSION_PARAMETERS", {}),
            **{name: request.query_params.get(name) for name in named},
        )
        return await sessions.login(request, data.get("SESSION_PARAMETERS", {}))

    async def query(self, request: Request) -> Response:
        """Record a statement, fail or stall it where control says so, else run it."""
        said = await content(request)
        sql = said["sqlText"]
        connection = server.sessions.get(server.to_token(request))
        if connection is None:
            refused: Response = await server.query_request(request)
            return refused
        connection.cancelled.clear()
        tag = (said.get("parameters") or {}).get("QUERY_TAG")
        self.record("statement", session=connection.number, tag=tag, sql=sql)
        if (fault := self.told("fail", sql)) and self._still_fails(fault):
            if status := fault.get("status"):
                return Response(status_code=status)
            return failure(fault["errno"], fault["sqlstate"], fault["message"])
        while self.told("stall", sql):
            await asyncio.sleep(POLL_SECONDS)
            if connection.cancelled.is_set():
                return failure(604, "57014", "SQL execution canceled")
        return without_http_500(await server.query_request(request))

    async def abort(self, request: Request) -> Response:
        """Cancel what runs in a session, as the connector asks on a timeout or Ctrl-C."""
        if connection := server.sessions.get(server.to_token(request)):
            self.record("abort", session=connection.number)
            sessions.cancel(connection.number)
        return JSONResponse({"success": True, "data": None})

    def record(self, kind: str, **facts: object) -> None:
        """Append an event to the record."""
        if self.record_file:
            with self.record_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"kind": kind, **facts}) + "\n")

    def told(self, what: str, sql: str) -> Mapping[str, Any] | None:
        """Return what the control file says of a statement."""
        if not (self.control_file and self.control_file.exists()):
            return None
        told: Mapping[str, Any] | None = json.loads(self.control_file.read_text()).get(what)
        return told if told and re.search(told["pattern"], sql, re.IGNORECASE) else None

    def _still_fails(self, fault: Mapping[str, Any]) -> bool:
        key = json.dumps(fault)
        self.failed[key] += 1
        return "times" not in fault or self.failed[key] <= int(fault["times"])
