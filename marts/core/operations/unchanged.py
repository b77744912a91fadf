"""A run with nothing to do, repeated without looking at the marts again.

What a run plans follows from what it reads: settings, code, the data's files, and the database. If
all of this is as it was when a run has found nothing to do, there is nothing to do again, and
neither Ibis nor the package is loaded. Code is compared by its contents, data files by what a run
compares of them, the database by what each write changes in it.

Nothing is remembered where that may not be all: if the package's code may read anything else (see
`purity`), if proofs are asked for or another environment is read, or if a file was changed so
recently that its times may not show another change.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform
import socket
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marts.core import FOLDER
from marts.core.errors import EngineError
from marts.core.operations import wiring
from marts.core.operations.run_options import RunOptions
from marts.core.project.packages import home_of
from marts.core.project.settings import Settings
from marts.core.run.files import FAILURES, MANIFEST, RUN_RESULTS, prepare, write_json

if TYPE_CHECKING:
    from marts.core.operations.prepared import Ended, Prepared

MEMO = "unchanged.json"
MOST_FILES = 20_000
"""More of them are not looked at: the folder is not only the data's."""
SETTLED = 2.0
"""How many seconds old the last change of a file must be; some file systems count in twos."""


@dataclass(frozen=True)
class Inputs:
    """What a run reads, except the database: a digest, and whether later changes show in it."""

    digest: str
    is_settled: bool


@dataclass(frozen=True)
class Memo:
    """A run that had nothing to do: what it has read, printed and written.

    `database` is the state of the database after the last such run; `table` is the table of runs
    there, with its schema.
    """

    inputs: str
    database: str
    table: tuple[str, str]
    head: str
    lines: Sequence[tuple[str, str]]
    results: Mapping[str, Any]
    schema_version: int = 1


def inputs_of(settings: Settings, options: RunOptions) -> Inputs | None:
    """Return what a run would read; None if there is more than can be compared, or no marts yet."""
    is_alone = settings.elsewhere is None and not settings.require_proof
    if not is_alone or not options.only_updates:
        return None
    # What cannot be read is the run's to refuse, or not to need.
    with suppress(OSError, ValueError):
        database, package = settings.database_file, _folder_of_package(settings)
        if database is None or package is None or not database.exists():
            return None
        started, files = time.time(), [*islice(_files(_places(settings)), MOST_FILES + 1)]
        if len(files) > MOST_FILES:
            return None
        newest = max((max(each[-2:]) for _, each in files if each), default=0)
        about = (*_values(settings), options, *files, *_surroundings())
        digest = hashlib.sha256("\n".join(map(repr, about)).encode())
        _add_code(digest, package)
        return Inputs(digest.hexdigest(), newest / 1e9 < started - SETTLED)
    return None


def repeated(settings: Settings, inputs: Inputs) -> tuple[Memo, list[EngineError]] | None:
    """Record that a run has nothing to do, as the last one had; None if it must be planned.

    The errors are those of writing its results. Raises EngineError if nothing can be written to
    the target.
    """
    from backends.duckdb_again import record_again

    target, started_at = settings.target, datetime.datetime.now(datetime.UTC)
    memo, database = _remembered(target), settings.database_file
    if memo is None or memo.inputs != inputs.digest or database is None:
        return None
    prepare(target)
    run_id = wiring.run_id()
    state = record_again(
        database,
        memo.database,
        version=memo.results["versions"]["duckdb"],
        table=memo.table,
        earlier=memo.results["run_id"],
        run_id=run_id,
        started_at=started_at,
        host=socket.gethostname(),
    )
    if state is None:
        return None
    seconds = (datetime.datetime.now(datetime.UTC) - started_at).total_seconds()
    results = {
        **memo.results,
        "run_id": run_id,
        "started_at": started_at.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
    }
    memo = replace(memo, database=state, results=results)
    errors = list[EngineError]()
    try:
        write_json(target / RUN_RESULTS, results)
    except EngineError as error:
        errors.append(error)
    _write(memo, target)
    return memo, errors


def remember(
    settings: Settings,
    options: RunOptions,
    before: Inputs,
    prepared: Prepared,
    ended: Ended,
    head: str,
    lines: Sequence[tuple[str, str]],
) -> None:
    """Remember a run that has ended, if it had nothing to do and would not have anything again.

    `before` are its inputs as they were before it began. Its connection is still open.
    """
    from backends.factory import settled
    from marts.core.plan.runs import RUNS_TABLE
    from marts.core.project.purity import impurity

    report, package = ended.report, _folder_of_package(settings)
    is_recorded = prepared.recorder.failure is None and not ended.errors
    if report.status != "unchanged" or not is_recorded or not before.is_settled:
        return
    if package is None or impurity(package) or inputs_of(settings, options) != before:
        return
    if database := settled(prepared.backend):
        table = settings.schema, RUNS_TABLE
        memo = Memo(before.digest, database, table, head, lines, ended.results)
        _write(memo, settings.target)


def _write(memo: Memo, target: Path) -> None:
    # Without it, the next run takes longer, and that is all.
    with suppress(EngineError):
        write_json(target / MEMO, asdict(memo))


def _remembered(target: Path) -> Memo | None:
    """Return the last run if it is remembered, and if what it has written is there."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        if not (target / MANIFEST).exists() or (target / FAILURES).exists():
            return None
        memo = Memo(**json.loads((target / MEMO).read_text("utf-8")))
        results = json.loads((target / RUN_RESULTS).read_text("utf-8"))
        is_last = results["run_id"] == memo.results["run_id"]
        return memo if is_last and memo.schema_version == Memo.schema_version else None
    return None


def _values(settings: Settings) -> Iterator[object]:
    for each in fields(settings):
        value = getattr(settings, each.name)
        yield each.name, sorted(value) if isinstance(value, frozenset) else value


def _surroundings() -> tuple[object, ...]:
    """Return what else a plan depends on: the date, the local time's zone, the folder, Python."""
    today = datetime.datetime.now(datetime.UTC).date()
    # What code makes of a local time: every 49 days until 2038.
    zone = [time.localtime(moment).tm_gmtoff for moment in range(0, 1 << 31, 1 << 22)]
    return today, zone, str(Path.cwd()), platform.python_version(), sys.flags.optimize


def _folder_of_package(settings: Settings) -> Path | None:
    """Return the folder of the top-level package; None if it may be imported from elsewhere."""
    package = wiring.package_of(settings)
    folder = home_of(settings.folder_of("package"), package) / package.partition(".")[0]
    return folder if (folder / "__init__.py").is_file() else None


def _add_code(digest: Any, package: Path) -> None:
    """Add the contents of the code that declares, plans and compiles to a digest."""
    from backends import code_files

    ours = {package, FOLDER, Path(code_files.__file__).parent}
    for folder in sorted(ours):
        if ours.isdisjoint(folder.parents):
            code_files.add_folder(digest, str(folder))
    for library in ("ibis", "sqlglot"):
        code_files.add_folder(digest, str(_folder_of(library)), without=("tests",))


def _folder_of(module: str) -> Path:
    """Return where a module is, without importing it."""
    found = find_spec(module)
    if found is None or found.origin is None:
        raise FileNotFoundError(module)
    return Path(found.origin).parent


def _places(settings: Settings) -> Iterator[Path]:
    """Yield where sources may be, whether there is anything or not."""
    if data := wiring.data_of(settings):
        yield data
    for text in settings.sources.values():
        # A table of a file is written after a colon, and names of files may have colons, too.
        parts = text.split(":")
        for number in range(len(parts), 0, -1):
            yield settings.folder / ":".join(parts[:number])


File = tuple[str, tuple[int, ...]]
"""A path, and what changes with its contents; nothing for a path that cannot be read."""


def _files(places: Iterable[Path]) -> Iterator[File]:
    """Yield the files and folders of some places, in order, at any depth."""
    for place in places:
        yield from _below(place, ())
        # DuckDB's log is beside the file itself, wherever a link to it is.
        yield from _below(Path(f"{os.path.realpath(place)}.wal"), ())


def _below(path: Path, above: tuple[str, ...]) -> Iterator[File]:
    """Yield what is at a path; `above` are the real paths of the folders that it was found in."""
    try:
        found = path.stat()
        names = sorted(path.iterdir()) if stat.S_ISDIR(found.st_mode) else []
    except (OSError, ValueError):
        yield str(path), ()
        return
    times = found.st_mtime_ns, found.st_ctime_ns
    yield str(path), (found.st_dev, found.st_ino, found.st_mode, found.st_size, *times)
    real = os.path.realpath(path) if names else ""
    if real not in above:
        for each in names:
            yield from _below(each, (*above, real))
