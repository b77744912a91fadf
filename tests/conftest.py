"""Fixtures that all tests share: the command line as a user has it, and one finished run."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from hypothesis import HealthCheck, settings

from support import installed as environments
from support import slow
from support.effort import USUAL
from support.installed import Installed
from support.paths import SAVED_WORLDS, TESTS
from support.processes import Marts, Result, call_marts, marts_process

if TYPE_CHECKING:
    from support.account import Account

EMULATORS = {"account", "raw", "adapted", "snowflake_emulator"}
"""The fixtures that start one; --backend makes the first a real account."""

# A slow machine is not a fault of an example.
settings.register_profile(
    "fast", max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("fast"), max_examples=USUAL, derandomize=True)
settings.register_profile("nightly", settings.get_profile("fast"), max_examples=5_000)


# A repository of somebody else, which tests copy; its own tests run there.
collect_ignore = ["foreign"]


def pytest_configure(config: pytest.Config) -> None:
    """Choose the profile, unless --hypothesis-profile has; let Ctrl-C arrive."""
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("ci" if os.environ.get("CI") else "fast")
    # A job in the background ignores Ctrl-C, and so would the tests and what they start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = folder_to_save_in(config)
    # Before the tests begin, that is, and so not in the workers of pytest-xdist.
    if folder and folder.exists() and not hasattr(config, "workerinput"):
        raise pytest.UsageError(f"{folder} is there already: choose another name, or remove it")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import what is slow, or the emulator, where neither is wanted."""
    chosen = config.option.markexpr
    is_unwanted = chosen == "not slow" and slow.is_slow_file(collection_path)
    # What the emulator needs is then not installed, perhaps.
    is_emulator = "not emulator" in chosen and collection_path == TESTS / "emulator"
    return is_unwanted or is_emulator or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow and what needs the emulator, and put the longest files first."""
    items.sort(key=slow.rank)
    for item in filter(slow.is_slow, items):
        item.add_marker("slow")
    for item in items:
        if not EMULATORS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("emulator")


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
    parser.addoption(
        "--sweep", action="store_true", help="let every statement fail in every way: takes long"
    )
    live = parser.getgroup("snowflake", "end-to-end tests on a real account")
    live.addoption("--backend", choices=["snowflake"], help="instead of the emulator")
    live.addoption("--connection", metavar="NAME", help="a connection of connections.toml")
    live.addoption("--database", metavar="DB", help="the database  [default: the connection's]")


@pytest.fixture(scope="session")
def world_folder(pytestconfig: pytest.Config) -> Path | None:
    """Return where a failing world is to be saved, if it is."""
    return folder_to_save_in(pytestconfig)


@pytest.fixture(autouse=True)
def leave_imports_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Forget what a test has imported from its folder: the next has packages of the same name."""
    # Text, because paths would take 40 ms for two thousand modules, after each test.
    folder = f"{tmp_path_factory.getbasetemp().resolve()}{os.sep}"
    path, finders = sys.path[:], sys.meta_path[:]
    yield
    sys.path[:], sys.meta_path[:] = path, finders
    for name, module in [*sys.modules.items()]:
        if (getattr(module, "__file__", None) or "").startswith(folder):
            del sys.modules[name]


@pytest.fixture
def marts(tmp_path: Path) -> Marts:
    """Run `marts …` in this test's empty folder: `marts("run", "-s", "x", MARTS_SCHEMA="dev")`."""

    def call(*words: object, **environment: str) -> Result:
        return marts_process(*words, cwd=tmp_path, **environment)

    return call


@pytest.fixture
def called(tmp_path: Path) -> Marts:
    """Run `marts …` likewise, in the tests' own process: what takes a second to load is there."""
    return partial(call_marts, cwd=tmp_path)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which `marts run` has published all marts of the bundled data."""
    folder = tmp_path_factory.mktemp("finished")
    result = marts_process("run", cwd=folder)
    assert result.returncode == 0, result.stderr + result.stdout
    return folder


def shared(factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all workers of this session share."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Return an environment with the wheel, its dependencies, no extra, and no checkout."""
    return environments.once(shared(tmp_path_factory) / "installed")


@pytest.fixture(scope="session")
def installed_with_all(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Return an environment with the wheel, all its extras and pytest, and no checkout."""
    folder = shared(tmp_path_factory) / "installed_with_all"
    return environments.once(
        folder, extras=("snowflake", "generate", "proof", "docs"), also=("pytest",)
    )


@pytest.fixture(scope="session")
def only_account(request: pytest.FixtureRequest) -> Iterator[Account]:
    """Return the emulator, or the account that pytest's options name."""
    from support.account import account as open_account

    with open_account(request) as opened:
        yield opened


@pytest.fixture(scope="module")
def account(only_account: Account) -> Iterator[Account]:
    """Return the account; what a module of tests leaves in it does not concern the next one."""
    with only_account.left_as_found():
        yield only_account


@pytest.fixture(scope="module")
def emulated(account: Account) -> Account:
    """Return the account, where tests can look behind it."""
    if account.emulator is None:
        pytest.skip("needs the emulator: it records, fails and stalls statements")
    return account


@pytest.fixture
def published(finished_run: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Return a read-only connection to the marts of the bundled data."""
    with duckdb.connect(str(finished_run / "target/marts.duckdb"), read_only=True) as connection:
        yield connection
