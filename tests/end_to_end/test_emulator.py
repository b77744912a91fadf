"""`marts emulator`: what it prints works as printed, in a project that `marts init` has begun."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import GUARD, MARTS, Marts, end, marts_environment, started

OPEN = re.compile(r"127\.0\.0\.1:(\d+)")


@pytest.fixture
def shop(marts: Marts, tmp_path: Path) -> Path:
    """Return the folder of a new project."""
    done = marts("init", "shop")
    assert done.returncode == 0, done.stderr
    return tmp_path / "shop"


def shell(commands: str, cwd: Path) -> str:
    """Run commands as somebody would in another terminal; return what they print."""
    path = f"{MARTS.parent}{os.pathsep}{os.environ['PATH']}"
    found = subprocess.run(
        ["/bin/bash", "-euc", commands],
        cwd=cwd,
        env=marts_environment(PATH=path, MARTS_PACKAGE="shop_marts"),
        capture_output=True,
        text=True,
        check=False,
        timeout=GUARD,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout + found.stderr


@pytest.mark.emulator
def test_what_is_printed_works_and_ctrl_c_ends_it(shop: Path) -> None:
    with started("emulator", "--database", "analytics", cwd=shop, MARTS_PACKAGE="") as process:
        assert process.stdout
        head, *lines = [process.stdout.readline().rstrip() for _ in range(6)]
        port = OPEN.search(head)
        assert port
        assert lines[:2] == ["", "in another terminal:"]
        shown = shell("\n".join([*lines[2:], "env | grep -o 'SNOWFLAKE_HOME=.*'"]), shop)
        assert "published" in shown
        folder = Path(shown.splitlines()[-1].partition("=")[2])
        assert 'database = "ANALYTICS"' in (folder / "connections.toml").read_text("utf-8")
        assert end(process, signal.SIGINT) == ""
        assert process.returncode == 0
    with socket.socket() as nobody:
        assert nobody.connect_ex(("127.0.0.1", int(port[1])))
    assert not folder.exists()


CLIENT = """
import sys
from snowflake import connector
with connector.connect(connection_name="emulator") as session:
    print(session.database, *session.cursor().execute("SELECT 1").fetchall())
sys.exit(7)
"""


@pytest.mark.emulator
def test_it_runs_while_a_command_does_and_exits_with_its_code(marts: Marts) -> None:
    done = marts("emulator", sys.executable, "-c", CLIENT)
    assert (done.stdout, done.returncode) == ("MARTS (1,)\n", 7), done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--database", "a b"], 2, "'a b' cannot be the name of the emulator's database"),
        (["--port", "{taken}"], 1, "address already in use"),
        (["--", "no-such-program"], 2, "cannot run no-such-program: No such file"),
    ],
)
@pytest.mark.emulator
def test_what_cannot_begin_is_refused(words: list[str], code: int, said: str, marts: Marts) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = marts("emulator", *(word.format(taken=port) for word in words))
    assert done.returncode == code
    assert said.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr
