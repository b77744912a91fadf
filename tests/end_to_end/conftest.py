"""One account for all end-to-end tests, and who needs which."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from support.account import Account
from support.databases import contents
from support.refusals import Refused
from support.refusals import refused as refuse


@pytest.fixture(scope="module")
def live(request: pytest.FixtureRequest) -> Account:
    """Return the account, where it is a real one."""
    if request.config.getoption("--backend") is None:
        pytest.skip("needs a Snowflake account: pytest --backend snowflake --connection NAME")
    account: Account = request.getfixturevalue("account")
    return account


@pytest.fixture
def own_schema(request: pytest.FixtureRequest) -> str:
    """Return a name for a schema of this test's own."""
    name = request.node.name.removeprefix("test_")
    return re.sub(r"\W+", "_", name).strip("_").upper()[-60:]


@pytest.fixture
def database(finished_run: Path, tmp_path: Path) -> Path:
    """Return the default database of this test's folder, with the bundled data's marts."""
    path = tmp_path / "target/marts.duckdb"
    path.parent.mkdir()
    shutil.copy(finished_run / "target/marts.duckdb", path)
    return path


@pytest.fixture
def left_alone(database: Path) -> Iterator[None]:
    """Find after the test what readers of the default database saw before it."""
    before = contents(database)
    yield
    assert contents(database) == before


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """Run `marts …` in this test's folder, which must refuse."""
    return partial(refuse, cwd=tmp_path)
