"""The plugin that pytest loads by itself: fixtures, which import what they need when asked for.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from marts.core.api.project import Project
    from marts.core.kit.building import MartsBuilder
    from marts.core.kit.emulated import SnowflakeEmulator


@pytest.fixture(scope="session")
def marts_project(pytestconfig: pytest.Config) -> Project:
    """Return the project in pytest's root folder; a fixture of this name of yours replaces it."""
    from marts.core.api.project import Project

    return Project.load(pytestconfig.rootpath)


@pytest.fixture(scope="session")
def duckdb_marts(marts_project: Project) -> Iterator[MartsBuilder]:
    """Return what builds the project's marts on DuckDB, in memory, from the tables of a test.

    `duckdb_marts.build({"orders": rows}, as_of="2024-06-30")["customer_revenue"]`
    """
    from marts.core.kit.building import on_duckdb

    with closing(on_duckdb(marts_project.linked.graph)) as builder:
        yield builder


@pytest.fixture(scope="session")
def snowflake_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnowflakeEmulator]:
    """Run a Snowflake emulator, one for all tests of a process; it needs the extra `marts[proof]`.

    A process that has the variables `snowflake_emulator.environment` reaches it, such as `marts run
    --backend snowflake --connection emulator`.
    """
    from marts.core.kit.emulated import emulator

    with emulator(tmp_path_factory.mktemp("snowflake_emulator")) as running:
        yield running


@pytest.fixture
def snowflake_connection(
    snowflake_emulator: SnowflakeEmulator, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Return the name of a connection to the emulator, which this process knows during a test.

    `Project.load(backend="snowflake", connection=snowflake_connection)` takes it.
    """
    for name, value in snowflake_emulator.environment.items():
        monkeypatch.setenv(name, value)
    return snowflake_emulator.connection


@pytest.fixture(scope="session")
def snowflake_marts(
    marts_project: Project, snowflake_emulator: SnowflakeEmulator
) -> Iterator[MartsBuilder]:
    """Return what builds the marts in the same way by Snowflake's SQL, through its connector."""
    from marts.core.kit.emulated import on_emulator

    with closing(on_emulator(marts_project.linked.graph, snowflake_emulator)) as builder:
        yield builder
