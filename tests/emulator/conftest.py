"""Emulators for a whole session: fakesnow as it is, and as we adapt it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from snowflake.connector import SnowflakeConnection

from backends.emulator import process
from backends.emulator.process import Emulator
from emulator.fixtures import T, write_connections
from marts.core.kit.emulated import DATABASE, emulator


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with process.emulator(tmp_path_factory.mktemp("raw"), DATABASE, raw=True) as running:
        yield running


@pytest.fixture(scope="session")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulator(tmp_path_factory.mktemp("adapted")) as running:
        write_connections(running.folder, running.port)
        yield running


@pytest.fixture(scope="session")
def raw_session(raw: Emulator) -> Iterator[SnowflakeConnection]:
    # Its HTTP 500 would be retried for longer.
    with raw.connect(network_timeout=1) as session:
        session.cursor().execute(f"CREATE SCHEMA {T}")
        yield session


@pytest.fixture(scope="session")
def session(adapted: Emulator) -> Iterator[SnowflakeConnection]:
    with adapted.connect() as session:
        session.cursor().execute(f"CREATE SCHEMA {T}")
        yield session
