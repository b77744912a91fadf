"""The emulator's front: records what arrives, fails where a test wants it to, and keeps locks.

A request that is sent again, because its answer was lost, is answered with what its first
execution answered. A request whose answer takes long is told to ask again for it.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import re
import threading
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from backends.emulator import sessions, statements
from backends.emulator.faults import Control
from backends.emulator.locks import DEFAULT_TIMEOUT, POLL_SECONDS, Locks
from backends.emulator.patched import server

LOG = logging.getLogger(__name__)
CANCELLED = 604
DEFAULT_STATEMENT_TIMEOUT = 172_800
REMEMBERED = 500
WATCH_SECONDS = 0.1
FAILED = b'"success":false}'
# What the connector puts before an error's words; fakesnow has it in the words already.
FORMATTED = re.compile(r"^\d{6} \(\w+\): (None: )?")


@dataclass(eq=False)
class Execution:
    """One execution of a statement, whoever waits for its answer."""

    session: Any
    sql: str
    tag: str | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    cancelled: threading.Event = field(default_factory=threading.Event)
    overtime: float | None = None
    task: asyncio.Task[Response] | None = None


def failure(errno: int, sqlstate: str, message: str) -> JSONResponse:
    """Answer a statement, or a login, with an error as Snowflake words it."""
    code = f"{errno:06d}"
    data = {"errorCode": code, "sqlState": sqlstate, "queryId": str(uuid.uuid4())}
    return JSONResponse({"data": data, "code": code, "message": message, "success": False})


def cancelled() -> JSONResponse:
    """Answer a statement that somebody cancelled."""
    return failure(CANCELLED, "57014", "SQL execution canceled")


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


async def cut(request: Request) -> Response:
    """Close a request's connection without an answer."""
    sessions.transport(request).abort()
    return await hold(request, lambda: True)


async def hold(request: Request, still: Callable[[], object]) -> Response:
    """Leave a request unanswered while something holds; then, or if its client went, answer."""
    while still() and not await request.is_disconnected():  # noqa: ASYNC110  (files say so)
        await asyncio.sleep(POLL_SECONDS)
    return Response()


class Front:
    """Stands before fakesnow's handlers; what it does wrong is described in `faults`."""

    def __init__(self, record: Path | None, control: Path | None) -> None:
        self.record_file = record
        self.control = Control(control)
        self.locks = Locks()
        self.executions: dict[str, Execution] = {}
        self.watching: asyncio.Task[None] | None = None

    def application(self) -> Starlette:
        """Return fakesnow's application, with this front before it."""
        endpoints = {
            "/session/v1/login-request": self.login,
            "/session": self.end,
            "/session/heartbeat": self.heartbeat,
            "/queries/v1/query-request": self.query,
            "/queries/v1/abort-request": self.abort,
        }
        routes = [Route(path, endpoint, methods=["POST"]) for path, endpoint in endpoints.items()]
        routes.append(Route("/queries/{id}/result", self.result, methods=["GET"]))
        rest = [route for route in server.routes if route.path not in endpoints]
        return Starlette(routes=[*routes, *rest])

    async def login(self, request: Request) -> Response:
        """Record a login, less its secrets, and let it in."""
        if self.watching is None:
            self.watching = asyncio.create_task(self._watch())
        data = (await content(request))["data"]
        user, parameters = data.get("LOGIN_NAME", ""), data.get("SESSION_PARAMETERS", {})
        named = ("databaseName", "schemaName", "warehouse", "roleName")
        self.record(
            "login",
            user=user,
            authenticator=data.get("AUTHENTICATOR", "SNOWFLAKE"),
            session_parameters=parameters,
            **{name: request.query_params.get(name) for name in named},
        )
        await hold(request, self._no_logins)
        return await sessions.login(request, user, parameters)

    def _no_logins(self) -> bool:
        return bool((self.control.said().get("dead") or {}).get("logins"))

    async def end(self, request: Request) -> Response:
        """End a session, and with it its transaction."""
        connection, refused = await self._session(request)
        if refused:
            return refused
        ended = await sessions.end(request)
        self.locks.release(connection)
        return ended

    async def heartbeat(self, request: Request) -> Response:
        """Say that a session is alive."""
        _, refused = await self._session(request)
        return refused or JSONResponse({"success": True, "data": None})

    async def query(self, request: Request) -> Response:
        """Run a statement once, however often it is sent, unless control says otherwise."""
        said = await content(request)
        connection, refused = await self._session(request)
        if refused:
            return refused
        number = request.query_params.get("requestId", str(uuid.uuid4()))
        if execution := self.executions.get(number):
            self.record("retry", session=connection.number, sql=execution.sql)
            return await self._answer(execution, request)
        parameters = said.get("parameters") or {}
        execution = Execution(connection, said["sqlText"], parameters.get("QUERY_TAG"))
        facts = {"session": connection.number, "tag": execution.tag, "sql": execution.sql}
        self.record("statement", **facts)
        faults = self.control.strike(execution.sql, execution.tag)
        if status := faults.get("fail", {}).get("status"):
            return Response(status_code=status)
        if dead := faults.get("dead"):
            connection.line.dead = dead
            if not dead.get("runs"):
                return await self._unanswered(request, dead)
        self._remember(number, execution)
        carried_out = self._carry_out(execution, request, said, faults)
        execution.task = asyncio.create_task(_in_time(execution, carried_out))
        if lost := faults.get("lose"):
            await asyncio.wait({execution.task})
            connection.line.gone = lost.get("gone")
            return await cut(request)
        return await self._answer(execution, request)

    async def result(self, request: Request) -> Response:
        """Answer a request that was told to ask again."""
        _, refused = await self._session(request)
        if refused:
            return refused
        asked = request.path_params["id"]
        found = [each for each in self.executions.values() if each.id == asked]
        return await self._answer(found[0], request) if found else Response(status_code=404)

    async def abort(self, request: Request) -> Response:
        """Cancel what runs in a session, as the connector asks on a timeout or Ctrl-C."""
        connection, refused = await self._session(request)
        if refused:
            return refused
        self.record("abort", session=connection.number)
        sessions.cancel(connection.number)
        return JSONResponse({"success": True, "data": None})

    def record(self, kind: str, **facts: object) -> None:
        """Append an event to the record."""
        if self.record_file:
            with self.record_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"kind": kind, **facts}) + "\n")

    async def _session(self, request: Request) -> tuple[Any, Response | None]:
        """Return a request's session, or what is answered instead, if anything is."""
        connection = server.sessions.get(server.to_token(request))
        if connection is None:
            return None, sessions.no_session()
        line = connection.line
        line.transports.add(sessions.transport(request))
        if line.dead:
            return connection, await self._unanswered(request, line.dead)
        if line.gone:
            gone = sessions.no_session() if line.gone == "answered" else await cut(request)
            return connection, gone
        return connection, None

    async def _unanswered(self, request: Request, dead: Mapping[str, Any]) -> Response:
        await hold(request, lambda: self.control.said().get("dead") == dead)
        if await request.is_disconnected():
            return Response()
        connection = server.sessions.get(server.to_token(request))
        if connection:
            connection.line.dead = None
        return await cut(request)

    def _remember(self, number: str, execution: Execution) -> None:
        self.executions[number] = execution
        if len(self.executions) > REMEMBERED:
            del self.executions[next(iter(self.executions))]

    async def _answer(self, execution: Execution, request: Request) -> Response:
        if execution.task is None:
            raise RuntimeError(f"not begun: {execution.sql}")
        seconds = self.control.seconds("in_progress_after")
        await asyncio.wait({execution.task}, timeout=seconds)
        if dead := execution.session.line.dead:
            return await self._unanswered(request, dead)
        return execution.task.result() if execution.task.done() else _in_progress(execution)

    async def _carry_out(
        self,
        execution: Execution,
        request: Request,
        said: Mapping[str, Any],
        faults: Mapping[Any, Mapping[str, Any]],
    ) -> Response:
        running = execution.session.line.running
        running.add(execution)
        stall = faults.get("stall", {})
        timer = self._limit(execution, said)
        try:
            if fault := faults.get("fail"):
                return failure(fault["errno"], fault["sqlstate"], fault["message"])
            if stall and not stall.get("after") and not await self._stalled(execution):
                return cancelled()
            answer = await self._execute(execution, request, said)
            if stall and stall.get("after"):
                await self._stalled(execution)
        except Exception as error:
            LOG.exception("not answered")
            return failure(603, "XX000", f"SQL execution internal error:\n{error}")
        else:
            return answer
        finally:
            timer.cancel()
            running.discard(execution)

    def _limit(self, execution: Execution, said: Mapping[str, Any]) -> asyncio.TimerHandle:
        parameters = execution.session.parameters | (said.get("parameters") or {})
        seconds = float(parameters.get("STATEMENT_TIMEOUT_IN_SECONDS", DEFAULT_STATEMENT_TIMEOUT))

        def stop() -> None:
            execution.overtime = seconds
            sessions.stop(execution.session, [execution])

        return asyncio.get_running_loop().call_later(seconds, stop)

    async def _stalled(self, execution: Execution) -> bool:
        """Hold a statement; tell whether it goes on, or somebody cancelled it."""
        while self.control.matches("stall", execution.sql, execution.tag):
            if execution.cancelled.is_set():
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True

    async def _execute(
        self, execution: Execution, request: Request, said: Mapping[str, Any]
    ) -> Response:
        connection = execution.session
        await run_in_threadpool(sessions.act, execution.sql)
        # It may have cancelled its own session's queries, of which it is none.
        execution.cancelled.clear()
        parameters = connection.parameters | (said.get("parameters") or {})
        seconds = float(parameters.get("LOCK_TIMEOUT", DEFAULT_TIMEOUT))
        async with connection.line.turn:
            tree = statements.parsed(execution.sql)
            try:
                if words := await self.locks.take(tree, execution, seconds):
                    return failure(625, "57014", words)
                if execution.cancelled.is_set():
                    return cancelled()
                return without_http_500(await server.query_request(request))
            finally:
                if connection.transaction is None:
                    self.locks.release(connection)

    async def _watch(self) -> None:
        """End the sessions whose clients are gone, after a while, if they hold a transaction."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for connection in list(server.sessions.values()):
                seconds = self.control.seconds("detached") if connection.transaction else None
                if seconds is not None and connection.line.is_over(seconds):
                    self.record("end", session=connection.number)
                    await run_in_threadpool(sessions.abort, connection.number)
            ended = {lock.session for lock in self.locks.held.values() if lock.session._is_closed}
            for connection in ended:
                self.locks.release(connection)


async def _in_time(execution: Execution, carried_out: Coroutine[Any, Any, Response]) -> Response:
    answer = await carried_out
    if execution.overtime is None or f'"{CANCELLED:06d}"'.encode() not in bytes(answer.body):
        return answer
    words = (
        "Statement reached its statement or warehouse timeout of"
        f" {execution.overtime:.0f} second(s) and was canceled."
    )
    return failure(630, "57014", words)


def _in_progress(execution: Execution) -> Response:
    data = {
        "queryId": execution.id,
        "getResultUrl": f"/queries/{execution.id}/result",
        "queryAbortsAfterSecs": 300,
        "progressDesc": None,
    }
    message = "Query execution in progress. Asynchronous execution mode."
    return JSONResponse({"data": data, "code": "333334", "message": message, "success": True})
