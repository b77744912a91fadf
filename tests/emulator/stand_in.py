"""A stand-in for Snowflake where it refuses and the emulator would accept: canned answers."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Refusal:
    """An error as Snowflake words it: of the login, or of all statements but SHOW PARAMETERS."""

    code: str
    sqlstate: str
    message: str
    at_login: bool = False


SCENARIOS = {
    "wrong password": Refusal(
        "390100", "08001", "Incorrect username or password was specified.", at_login=True
    ),
    "invalid key": Refusal("390144", "08001", "JWT token is invalid.", at_login=True),
    "missing database": Refusal(
        "002043",
        "02000",
        "SQL compilation error:\nObject does not exist, or operation cannot be performed.",
    ),
    "missing privilege": Refusal(
        "003001",
        "42501",
        "SQL access control error:\nInsufficient privileges to operate on schema 'GOLD'.",
    ),
}


@contextmanager
def stand_in(scenario: str) -> Iterator[int]:
    """Answer as Snowflake does in a scenario; give the port."""
    handler = partial(_Handler, SCENARIOS[scenario])
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, refusal: Refusal, *args: Any) -> None:
        self.refusal = refusal
        super().__init__(*args)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        answer = json.dumps(self._answer(json.loads(body or b"{}"))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _answer(self, said: dict[str, Any]) -> dict[str, Any]:
        if str(said.get("sqlText")).startswith("SHOW PARAMETERS"):
            nothing = {"rowtype": [], "rowset": [], "total": 0, "queryResultFormat": "json"}
            return {"data": nothing, "success": True, "code": None}
        login = self.path.startswith("/session/v1/login-request")
        statement = self.path.startswith("/queries/v1/query-request")
        if (login and self.refusal.at_login) or statement:
            return self._refused()
        names = {"databaseName": "MARTS", "schemaName": None, "roleName": "R", "warehouseName": "W"}
        data = {"token": "t", "masterToken": "m", "sessionId": 1, "parameters": []}
        return {"data": data | {"sessionInfo": names}, "success": True, "code": None}

    def _refused(self) -> dict[str, Any]:
        refusal = self.refusal
        data = {"errorCode": refusal.code, "sqlState": refusal.sqlstate, "queryId": "01-stand-in"}
        answer = {"data": data, "code": refusal.code, "message": refusal.message}
        return answer | {"success": False}

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's word)
        """Say nothing."""
