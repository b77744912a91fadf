"""Fixtures that all tests share: the command line as a user has it, and one finished run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).parent.parent
BUNDLED = REPOSITORY / "fixtures"
SAVED_WORLDS = REPOSITORY / "tests/worlds"

# A slow machine is no defect of an example.
settings.register_profile(
    "fast", max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("fast"), max_examples=200, derandomize=True)
settings.register_profile("nightly", settings.get_profile("fast"), max_examples=5_000)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the profile, unless --hypothesis-profile has."""
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("ci" if os.environ.get("CI") else "fast")
    folder = folder_to_save_in(config)
    # Before the tests begin, that is, and so not in the workers of pytest-xdist.
    if folder and folder.exists() and not hasattr(config, "workerinput"):
        raise pytest.UsageError(f"{folder} is there already: choose another name, or remove it")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say whether --save-world found a world to save."""
    if folder := folder_to_save_in(config):
        what = f"saved {folder}" if folder.exists() else "no world failed: nothing was saved"
        terminalreporter.write_line(what)


def folder_to_save_in(config: pytest.Config) -> Path | None:
    """Return where a failing world is to be saved, if it is."""
    name: str | None = config.getoption("--save-world")
    return SAVED_WORLDS / name if name else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--save-world", metavar="NAME", help="keep a failing world in tests/worlds/NAME"
    )
    parser.addoption(
        "--update-sql", action="store_true", help="write tests/sql/ anew from what is compiled"
    )
    live = parser.getgroup("snowflake", "end-to-end tests on a real account")
    live.addoption("--backend", choices=["snowflake"], help="instead of the emulator")
    live.addoption("--connection", metavar="NAME", help="a connection of connections.toml")
    live.addoption("--database", metavar="DB", help="the database  [default: the connection's]")


Marts = Callable[..., subprocess.CompletedProcess[str]]


def marts_environment(**changes: str) -> dict[str, str]:
    """Return the caller's environment without its MARTS_… variables; the marts are ours."""
    inherited = {name: value for name, value in os.environ.items() if name[:6] != "MARTS_"}
    return inherited | {"MARTS_PACKAGE": "marts"} | changes


def marts_process(
    *words: object, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `marts …` as a user would, in a folder, without the caller's MARTS_… variables.

    The marts are ours, unless the environment names others or the words do.
    """
    inherited = marts_environment(**environment)
    # Compiled once, not at every call.
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run(
        [Path(sys.executable).with_name("marts"), *map(str, words)],
        cwd=cwd,
        env=inherited,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def marts(tmp_path: Path) -> Marts:
    """Run `marts …` in this test's empty folder: `marts("run", "-s", "x", MARTS_SCHEMA="dev")`."""

    def call(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return marts_process(*words, cwd=tmp_path, **environment)

    return call


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which `marts run` has published all marts of the bundled data."""
    folder = tmp_path_factory.mktemp("finished")
    result = marts_process("run", cwd=folder)
    assert result.returncode == 0, result.stderr + result.stdout
    return folder


@pytest.fixture
def published(finished_run: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Return a read-only connection to the marts of the bundled data."""
    with duckdb.connect(str(finished_run / "target/marts.duckdb"), read_only=True) as connection:
        yield connection
