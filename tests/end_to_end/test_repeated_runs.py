"""A run that has nothing to do, as the last one had, looks at no mart; every change is noticed."""

from __future__ import annotations

import datetime
import errno
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from backends import code_files
from marts.core.operations import unchanged, wiring
from support.processes import Result, call_marts, marts_environment

FILES = {
    "pyproject.toml": '[tool.marts]\npackage = "shop"\ndata = "data"\n',
    "shop/__init__.py": "",
    "shop/limits.py": "LOW = 5\n",
    "shop/sources.py": """
from marts import int64, source

orders = source("orders", grain="id", doc="Orders.", columns=[int64("id"), int64("amount")])
""",
    "shop/large_orders.py": '''
from marts import Table, int64, mart
from shop.limits import LOW

@mart(grain="id", columns=[int64("id"), int64("amount")])
def large_orders(orders: Table) -> Table:
    """The orders that are not small."""
    return orders.filter(orders.amount > LOW)
''',
    "data/orders/1.csv": "id,amount\n1,3\n2,7\n3,9\n",
}


class Shop:
    """A project; `looked` says whether its last run has looked at the marts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.looked = False
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Write one of its files."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, *words: str, **variables: str) -> Result:
        """Run it in this process."""
        self.looked = False
        return call_marts("run", *words, cwd=self.folder, MARTS_PACKAGE="shop", **variables)

    def is_remembered(self) -> bool:
        """Run until there is nothing to do, and tell whether that needs no look at the marts."""
        while "nothing to do" not in (done := self.run()).stdout:
            assert done.returncode == 0, done.stdout + done.stderr
        return "nothing to do" in self.run().stdout and not self.looked

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Execute a statement in the published database, as somebody else."""
        with duckdb.connect(str(self.folder / "target/marts.duckdb")) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    shop = Shop(tmp_path)

    def look(*arguments: object) -> object:
        shop.looked = True
        return selected(*arguments)

    selected: Callable[..., object] = wiring.selected
    monkeypatch.setattr(wiring, "selected", look)
    # The files of a test were written a moment ago.
    monkeypatch.setattr(unchanged, "SETTLED", -1.0)
    return shop


def rewritten(path: Path, text: str) -> None:
    """Write other contents of the same length over a file, and give it its old time."""
    times = path.stat()
    assert len(text) == times.st_size
    path.write_text(text)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def restored(shop: Shop) -> None:
    """Put an older copy of the database in place of the newer one."""
    database = shop.folder / "target/marts.duckdb"
    older = shop.folder / "older.duckdb"
    shutil.copy2(database, older)
    shop.run("--force")
    assert shop.is_remembered()
    shutil.copy2(older, database)


ORDERS = "data/orders/1.csv"
CHANGES: dict[str, tuple[Callable[[Shop], object], str]] = {
    "values, in a file of the same size and time": (
        lambda s: rewritten(s.folder / ORDERS, "id,amount\n1,3\n2,8\n3,9\n"),
        "source orders changed",
    ),
    "another file of a source": (
        lambda s: s.write("data/orders/deep/2.csv", "id,amount\n4,10\n"),
        "source orders changed",
    ),
    "a file that is gone": (
        lambda s: (s.folder / ORDERS).unlink(),
        "orders",
    ),
    "the data's date": (
        lambda s: s.write("data/dataset.json", '{"as_of": "2020-01-01"}'),
        "as of",
    ),
    "a mart, in a file of the same size and time": (
        lambda s: rewritten(
            s.folder / "shop/large_orders.py",
            FILES["shop/large_orders.py"].replace("amount > LOW", "amount < LOW"),
        ),
        "code changed",
    ),
    "a constant of another module": (
        lambda s: s.write("shop/limits.py", "LOW = 8\n"),
        "code changed",
    ),
    "another mart": (
        lambda s: s.write(
            "shop/orders_again.py",
            FILES["shop/large_orders.py"].replace("large_orders", "orders_again"),
        ),
        "not published",
    ),
    "a comment, which changes nothing": (
        lambda s: s.write("shop/limits.py", "LOW = 5  # a small one\n"),
        "nothing to do",
    ),
    "settings": (
        lambda s: s.write("pyproject.toml", f"{FILES['pyproject.toml']}schema = 'other'\n"),
        "not published",
    ),
    "rows of a mart, by hand": (
        lambda s: s.query("UPDATE gold.large_orders SET amount = 8 WHERE id = 2"),
        "altered since it was published",
    ),
    "a mart dropped by hand": (
        lambda s: s.query("DROP TABLE gold.large_orders"),
        "not published",
    ),
    "a database that is gone": (
        lambda s: (s.folder / "target/marts.duckdb").unlink(),
        "not published",
    ),
    "an older database": (restored, "nothing to do"),
    "artifacts of another command": (
        lambda s: call_marts("test", cwd=s.folder, MARTS_PACKAGE="shop"),
        "nothing to do",
    ),
    "artifacts that are gone": (
        lambda s: (s.folder / "target/manifest.json").unlink(),
        "nothing to do",
    ),
    "a memo that is none": (
        lambda s: s.write("target/unchanged.json", '{"inputs": 1'),
        "nothing to do",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_run_is_repeated_until_something_changes(shop: Shop, change: str) -> None:
    make, expected = CHANGES[change]
    assert shop.is_remembered()
    make(shop)
    done = shop.run()
    assert shop.looked
    assert expected in done.stdout + done.stderr
    assert expected != "nothing to do" or shop.is_remembered()


@pytest.mark.parametrize(
    "words",
    [
        ("--force",),
        ("--as-of", "2020-01-01"),
        ("--schema", "other"),
        ("--no-source-checks",),
        ("--dry-run",),
        ("--diff",),
        ("--drop-orphans",),
        ("large_orders",),
    ],
    ids=" ".join,
)
def test_a_run_that_asks_for_something_else_is_no_repetition(
    shop: Shop, words: tuple[str, ...]
) -> None:
    assert shop.is_remembered()
    assert shop.run(*words).returncode == 0
    assert shop.looked


def test_a_repetition_says_writes_and_records_what_a_run_does(shop: Shop) -> None:
    shop.run()
    looked = shop.run()
    results = json.loads((shop.folder / "target/run_results.json").read_text())
    repeated = shop.run("--json")
    assert not shop.looked
    assert (repeated.returncode, repeated.stderr) == (0, looked.stdout)
    again = json.loads((shop.folder / "target/run_results.json").read_text())
    assert json.loads(repeated.stdout) == again
    differing = {name for name, value in again.items() if value != results[name]}
    assert {"run_id"} <= differing <= {"run_id", "started_at", "seconds"}
    (first, second) = shop.query(
        "SELECT COLUMNS(* EXCLUDE (run_id, started_at, ended_at, seconds)) FROM gold.marts_runs"
        " WHERE status = 'unchanged'"
    )
    assert first == second
    recorded = shop.query(
        "SELECT run_id, ended_at >= started_at, seconds >= 0,"
        " started_at > lag(ended_at) OVER (ORDER BY started_at)"
        " FROM gold.marts_runs ORDER BY started_at DESC LIMIT 1"
    )
    assert recorded == [(again["run_id"], True, True, True)]


def relocated(shop: Shop, sql: str) -> Path:
    """Make the source a relation of another DuckDB file, and return that file."""
    file = shop.folder / "crm.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(sql.format(f"read_csv('{shop.folder}/data/orders/*.csv')"))
    shop.write(
        "pyproject.toml",
        '[tool.marts]\npackage = "shop"\n[tool.marts.sources]\norders = "crm.duckdb:orders"\n',
    )
    return file


def test_a_table_of_another_database_is_compared_by_its_file(shop: Shop) -> None:
    file = relocated(shop, "CREATE TABLE orders AS FROM {}")
    assert shop.is_remembered()
    with duckdb.connect(str(file)) as connection:
        connection.execute("UPDATE orders SET amount = 8 WHERE id = 2")
    assert "source orders changed" in shop.run().stdout


def test_a_view_of_another_database_is_looked_at_in_every_run(shop: Shop) -> None:
    relocated(shop, "CREATE VIEW orders AS FROM {}")
    assert not shop.is_remembered()


KILLED = """
import duckdb, os, sys
connection = duckdb.connect(sys.argv[1])
connection.execute(sys.argv[2])
os.kill(os.getpid(), 9)
"""


def killed_after(database: Path, sql: str) -> None:
    """Let a process execute a statement and die, so that the database has a log beside it."""
    subprocess.run([sys.executable, "-c", KILLED, str(database), sql], check=False)
    assert database.with_name(f"{database.name}.wal").exists()


def linked(path: Path) -> Path:
    """Move a file elsewhere, leave a link to it, and return where it is."""
    there = path.parent / "elsewhere" / path.name
    there.parent.mkdir()
    shutil.move(path, there)
    path.symlink_to(there)
    return there


def test_the_log_of_a_database_behind_a_link_is_seen(shop: Shop) -> None:
    crm = linked(relocated(shop, "CREATE TABLE orders AS FROM {}"))
    shop.run()
    marts = linked(shop.folder / "target/marts.duckdb")
    assert shop.is_remembered()
    killed_after(crm, "UPDATE orders SET amount = 8 WHERE id = 2")
    assert "source orders changed" in shop.run().stdout
    assert shop.is_remembered()
    killed_after(marts, "UPDATE gold.large_orders SET amount = 9 WHERE id = 2")
    assert "altered since it was published" in shop.run().stdout


def test_another_time_zone_is_another_surrounding(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = "datetime.datetime(2025, 1, 1, 12).timestamp()"
    shop.write("shop/limits.py", f"import datetime\n\nLOW = int({noon}) - 1735732800 + 5\n")
    assert shop.is_remembered()
    with monkeypatch.context() as moved:
        moved.setenv("TZ", "Europe/Berlin")
        time.tzset()
        shop.run()
    time.tzset()
    assert shop.looked


def test_a_repetition_that_cannot_be_written_is_said_as_a_run_says_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = shop.run("--target", "t" * 300)
    assert shop.is_remembered()
    done = shop.run("--target", "t" * 300)
    assert (done.returncode, done.stderr) == (looked.returncode, looked.stderr)
    assert "cannot write ttt" in done.stderr

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        done = shop.run()
    assert not shop.looked
    assert done.returncode == 0
    assert "nothing to do" in done.stdout
    assert "warning: everything is published, but cannot write target/run_results" in done.stderr


IMPURE = {
    "a variable": ("import os\n", 'int(os.environ.get("LOW", "5"))'),
    "a file": ("from pathlib import Path\n", 'int(Path("low").read_text())'),
    "the clock": ("import datetime\n", "datetime.date.today().year - 2021"),
}


@pytest.mark.parametrize("reads", IMPURE)
def test_code_that_reads_anything_else_is_called_in_every_run(shop: Shop, reads: str) -> None:
    shop.write("low", "5")
    imports, value = IMPURE[reads]
    shop.write("shop/limits.py", f"{imports}\nLOW = {value}\n")
    assert not shop.is_remembered()


def test_a_file_that_was_changed_a_moment_ago_is_not_trusted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unchanged, "SETTLED", 3600.0)
    assert not shop.is_remembered()


def test_the_next_day_is_another_day(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shop.is_remembered()

    class Tomorrow(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Tomorrow:
            return super().now(tz) + datetime.timedelta(days=1)

    monkeypatch.setattr(datetime, "datetime", Tomorrow)
    done = shop.run()
    assert "as of" in done.stdout
    assert shop.looked


def test_code_of_marts_and_of_its_compilers_counts(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shop.is_remembered()
    read = list[Path]()
    real = code_files.add_file

    def noting(digest: code_files.Digest, name: str) -> None:
        read.append(Path(name))
        real(digest, name)

    monkeypatch.setattr(code_files, "add_file", noting)
    shop.run()
    assert not shop.looked
    assert len({*read}) == len(read) > 600
    for part in ("shop/limits.py", "marts/core/run/runner.py", "backends/duckdb_catalog.py"):
        assert any(path.match(part) for path in read), part
    for part in ("ibis/expr/types/relations.py", "ibis/backends/sql/compilers/duckdb.py"):
        assert any(path.match(part) for path in read), part

    def edited(digest: code_files.Digest, name: str) -> None:
        real(digest, name)
        digest.update(b"# edited" if name.endswith("runner.py") else b"")

    monkeypatch.setattr(code_files, "add_file", edited)
    assert "nothing to do" in shop.run().stdout
    assert shop.looked


def test_a_module_that_moves_and_a_link_to_a_folder_are_changes(shop: Shop) -> None:
    shop.write("shop/deep/__init__.py", "")
    shop.write("shop/deep/limits.py", "LOW = 5\n")
    assert shop.is_remembered()
    (shop.folder / "shop/deep/limits.py").rename(shop.folder / "shop/limits_too.py")
    shop.run()
    assert shop.looked
    assert shop.is_remembered()
    (shop.folder / "shop/elsewhere").symlink_to(shop.folder / "shop/deep")
    shop.run()
    assert shop.looked
    assert not shop.is_remembered()


def test_what_cannot_be_read_is_no_reason_to_fail(shop: Shop) -> None:
    # An editor makes such a link beside a file that is being edited.
    (shop.folder / "shop/.#limits.py").symlink_to("somebody@somewhere.1234")
    shop.write("shop/no package/notes.py", "this is no Python")
    assert not shop.is_remembered()
    assert call_marts("run", "--data", ".", cwd=shop.folder / "data").returncode == 2


HOLDER = """
import duckdb, sys
held = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def test_a_database_that_another_process_holds_is_said_to_be_held(shop: Shop) -> None:
    assert shop.is_remembered()
    database = str(shop.folder / "target/marts.duckdb")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "open\n"
        done = shop.run()
        holder.communicate()
    assert done.returncode == 1
    assert "another process holds" in done.stderr


DRIVER = """
import sys
import cli
from marts.core.operations import unchanged

unchanged.SETTLED = -1.0
sys.argv[0] = "marts"
try:
    cli.main()
finally:
    print(*sorted({"ibis", "sqlglot", "shop", "pyarrow", "pandas"} & {*sys.modules}))
"""


def test_a_repetition_loads_neither_ibis_nor_the_package(shop: Shop) -> None:
    words = ("--data", "data", "--target", "target", "--schema", "gold", "--as-of", "2025-06-30")
    shop.run(*words)
    shop.run(*words)
    # Another process, in which sets have another order.
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, "run", *words],
        cwd=shop.folder,
        env=marts_environment(MARTS_PACKAGE="shop", PYTHONHASHSEED="1"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("anyway\n\n")
