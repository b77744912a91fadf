"""Doctors in tests: on any account, and on one whose statements become others on their way."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from unittest import mock

from backends.installation import Installation
from backends.snowflake_connection import SnowflakeOptions
from backends.snowflake_doctor import SnowflakeDoctor
from backends.snowflake_scratch import Client
from backends.snowflake_session import Result
from marts.core.operations.wiring import contracts_of, run_id
from marts.core.run.backend import Protection
from support.account import Account
from support.engines import GRAPH

NOTHING: Mapping[str, Protection] = MappingProxyType({})


@contextmanager
def doctor(
    account: Account,
    *,
    schema: str,
    source_schema: str,
    database: str | None = None,
    personal: Mapping[str, Protection] = NOTHING,
) -> Iterator[SnowflakeDoctor]:
    """Give a doctor of an account, which looks at schemas of tests."""
    options = SnowflakeOptions(
        connection=account.name,
        database=database or account.database,
        schema=account.schema(schema),
        source_schema=account.schema(source_schema),
        personal=personal,
    )
    with mock.patch.dict(os.environ, account.environment()):
        opened = SnowflakeDoctor(
            options,
            run_id=run_id(),
            contracts=contracts_of(GRAPH),
            installed=Installation({}, {}),
        )
        try:
            yield opened
        finally:
            assert not opened.close()


@contextmanager
def distorted(pattern: str, replacement: str) -> Iterator[Callable[[], bool]]:
    """Let statements that match become others; give the function that tells if any did."""
    execute, changed = Client._execute, list[str]()

    def other(self: Client, sql: str, *, uninterruptible: bool) -> Result:
        sent = re.sub(pattern, replacement, sql, flags=re.DOTALL)
        if sent != sql:
            changed.append(sql)
        return execute(self, sent, uninterruptible=uninterruptible)

    with mock.patch.object(Client, "_execute", other):
        yield lambda: bool(changed)
