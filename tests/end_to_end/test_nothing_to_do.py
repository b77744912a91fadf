"""A run that has nothing to do does not load the compilers, and notices every edit that matters."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import marts_environment

pytestmark = pytest.mark.slow

DRIVER = """
import sys
import cli

sys.argv[0] = "marts"
try:
    cli.main()
except SystemExit as exit:
    assert not exit.code, exit.code
print("compilers" * ("ibis.backends.sql.compilers" in sys.modules), file=sys.stderr)
"""
MART = '''
from limits import LOW
from marts import Table, int64, mart

@mart(grain="id", columns=[int64("id"), int64("amount")])
def large_orders(orders: Table) -> Table:
    """The orders that are not small."""
    return orders.filter(orders.amount > LOW)
'''
SOURCES = """
from marts import int64, source

orders = source("orders", grain="id", doc="orders", columns=[int64("id"), int64("amount")])
"""


def run(folder: Path) -> tuple[str, bool]:
    """Run marts, and return what it printed, and whether it loaded the compilers."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, "run"],
        cwd=folder,
        env=marts_environment(MARTS_PACKAGE="shop"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr, done.stderr.splitlines()[-1] == "compilers"


def test_a_constant_of_a_module_outside_the_package_is_part_of_the_expression(
    tmp_path: Path,
) -> None:
    files = {
        "pyproject.toml": '[tool.marts]\npackage = "shop"\ndata = "data"\n',
        "shop/__init__.py": "",
        "shop/sources.py": SOURCES,
        "shop/large_orders.py": MART,
        "limits.py": "LOW = 5\n",
        "data/orders.csv": "id,amount\n1,3\n2,7\n3,9\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert run(tmp_path)[1]
    text, compiled = run(tmp_path)
    assert "nothing to do" in text
    assert not compiled
    # A comment is no change.
    (tmp_path / "shop" / "large_orders.py").write_text(f"{MART}# A comment\n")
    text, compiled = run(tmp_path)
    assert "nothing to do" in text
    assert not compiled
    (tmp_path / "limits.py").write_text("LOW = 8\n")
    text, compiled = run(tmp_path)
    assert "code changed" in text
    assert compiled
    # Somebody who loads the compilers may change them.
    (tmp_path / "limits.py").write_text("import ibis.backends.sql.compilers\nLOW = 8\n")
    text, compiled = run(tmp_path)
    assert "nothing to do" in text
    assert compiled
