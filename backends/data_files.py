"""A directory of data files as a star schema: which files a table consists of.

A table is one file `<table>.parquet` or `<table>.csv`, or every Parquet or CSV file below a folder
`<table>/` (or `<table>.parquet/`, as Spark writes it), at any depth. Names that begin with `.` or
`_` are not data, except for folders `_key=value`. A folder `key=value` below the table's own gives
the files in it a value; a folder above it never does.
"""

from __future__ import annotations

import datetime
import errno
import glob
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from backends.source_types import is_name, named
from marts.core.errors import SourceError, UsageError

SUFFIXES = (".parquet", ".parq", ".pq")
"""The suffixes of Parquet files, in upper or lower case."""
CSV_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
"""The suffixes of CSV files, in upper or lower case."""

BACKUP_SUFFIXES = (".bak", ".old", ".orig", ".tmp", "~")
"""The suffixes of backups and temporary files, which are not read."""
OTHER_FORMAT = re.compile(
    r"\.(csv|tsv|jsonl?|ndjson|orc|avro|arrow|feather|xlsx)(\.\w+)?$|\.(parquet|parq|pq)\.\w+$"
)

LAYOUT = "<table>.parquet, <table>.csv, or such files below <table>/,"
READABLE = f"Parquet ({', '.join(SUFFIXES)}) or CSV ({', '.join(CSV_SUFFIXES)})"
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
MAGIC = b"PAR1"


@dataclass(frozen=True)
class DataFile:
    """A data file as it was when it was found; `keys` are from its partition folders, in order.

    A key's value is None if the folder represents null.
    """

    path: str
    size: int
    modified_ns: int
    changed_ns: int
    inode: int
    keys: tuple[tuple[str, str | None], ...] = ()

    @property
    def state(self) -> tuple[int, ...]:
        """Values that change when the file is changed or replaced."""
        # Copying an older file over this one may keep its modification time, hence the change time.
        return (self.size, self.modified_ns, self.changed_ns, self.inode)

    @property
    def is_csv(self) -> bool:
        """Whether it is CSV, by its name; else it is Parquet."""
        return self.path.lower().endswith(CSV_SUFFIXES)


def source_names(folder: Path) -> list[str]:
    """Return the lower-case names of the tables that a directory may have, in order."""
    return sorted({_table_named(path.name).lower() for path in _entries(_root(folder))})


def find_source(folder: Path, name: str, *, as_spelled: bool = False) -> Path | None:
    """Return the file or folder that is a table, None if there is neither.

    A folder without data files is not a table. With `as_spelled`, a name that is spelled exactly
    like it is meant before those in another case. Raises UsageError if the directory is missing,
    SourceError if two files or folders could be the table, if one is a dangling link, or if there
    is only a file with a similar name, or in another format.
    """
    root = _root(folder)
    alike = [path for path in _entries(root) if is_name(name, _table_named(path.name))]
    tables = [path for path in alike if _is_table(path)]
    spelled = [_table_named(path.name) for path in tables]
    found = [tables[number] for number in named(name, spelled, as_spelled=as_spelled)]
    if len(found) > 1:
        raise SourceError(f"{name} exists twice", *map(str, found), hint="remove one")
    if not found:
        _refuse_almost_named(root, name)
    return found[0] if found else None


def _refuse_almost_named(root: Path, name: str) -> None:
    for path in _entries(root):
        found = path.name.lower()
        if not found.startswith(f"{name.lower()}.") or found.endswith(BACKUP_SUFFIXES):
            continue
        if _begins_like_parquet(path):
            suffix = path.suffix if found.endswith(SUFFIXES) else SUFFIXES[0]
            raise _unusable(path, f"it is Parquet, but its name is not {name}{suffix}")
        if path.is_file() and found.endswith(CSV_SUFFIXES):
            raise _unusable(path, f"its name is not {name}.csv")
        if path.is_file() and OTHER_FORMAT.search(found):
            raise _unusable(path, f"it is not {READABLE}")


def located(path: Path) -> Path:
    """Return a file or folder that somebody has named; raise SourceError if it has no data."""
    if path.is_dir():
        if not _is_table(path):
            raise _unusable(path, f"it has no file that is {READABLE}")
    elif not _has_suffix(data_file(path, ()).path):
        raise _unusable(path, f"it is not {READABLE}, by its name")
    return path.resolve()


def files_of(table: Path) -> list[DataFile]:
    """Return the data files of a table, in order, as they are now.

    Raises SourceError for a dangling link, a link to a folder above it, a file that is found under
    two names, a name that is not valid text, and Parquet beside CSV.
    """
    if not table.is_dir():
        return [data_file(table, ())]
    files = sorted(_below(table, (), (os.path.realpath(table),)), key=lambda file: file.path)
    seen: dict[str, str] = {}
    for file in files:
        real = os.path.realpath(file.path)
        if real in seen:
            raise SourceError(
                f"{table.name} has one file twice", seen[real], file.path, hint="remove the link"
            )
        seen[real] = file.path
    csv = [file.path for file in files if file.is_csv]
    if 0 < len(csv) < len(files):
        parquet = next(file.path for file in files if not file.is_csv)
        raise SourceError(
            f"{table.name} has Parquet and CSV files", parquet, csv[0], hint="remove one kind"
        )
    return files


def pattern_of(table: Path) -> str:
    """Return a pattern of a table's files, for people to read."""
    path = glob.escape(str(table))
    if not table.is_dir():
        return path
    is_csv = any(file.is_csv for file in _below(table, (), (os.path.realpath(table),)))
    return f"{path}/**/*{CSV_SUFFIXES[0] if is_csv else SUFFIXES[0]}"


def changed(files: Iterable[DataFile]) -> Iterator[str]:
    """Yield a line for each file that has changed or is gone."""
    for file in files:
        try:
            if data_file(Path(file.path), file.keys).state != file.state:
                yield f"{file.path} changed"
        except SourceError:
            yield f"{file.path} is gone"


def data_as_of(folder: Path) -> datetime.date | None:
    """Return the as-of date in a directory's `dataset.json`, None if there is no such file."""
    file = folder / "dataset.json"
    if not os.path.lexists(file):
        return None
    try:
        text = file.read_text("utf-8")
        return _day(json.loads(text)["as_of"])
    except OSError as error:
        raise SourceError(f"cannot read {file}", error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        # The text of a ValueError is useful: it names a byte-order mark, for example.
        raise SourceError(
            f"{file} does not state the date of the data",
            *([str(error)] if isinstance(error, ValueError) else []),
            hint='write {"as_of": "2025-06-30"}',
        ) from error


def _day(text: str) -> datetime.date:
    # Python accepts a week as its Monday.
    if "W" in text:
        raise ValueError(f"{text} is a week")
    return datetime.date.fromisoformat(text)


def digest_of(files: Iterable[DataFile], *more: object) -> str:
    """Return a digest that changes when a file is added, removed or changed, or `more` changes."""
    digest = hashlib.sha256()
    for each in (*files, *more):
        digest.update(f"{each!r}\n".encode())
    return digest.hexdigest()


def _root(folder: Path) -> Path:
    if not folder.is_dir():
        raise UsageError(
            f"there is no directory {folder}",
            hint=f"pass --data DIR with {LAYOUT} for each source",
        )
    return folder.resolve()


def _entries(folder: Path) -> list[Path]:
    """Return the paths in a folder that may be data, in order."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise SourceError(f"cannot list {folder}", error.strerror or str(error)) from error
    return [path for path in paths if not _is_hidden(path.name)]


def _is_hidden(name: str) -> bool:
    # This is Spark's and Hive's rule: a column whose name begins with _ gets its folder, too.
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _mode(path: Path) -> int:
    """Return the mode of a path, 0 if there is nothing: a link may be dangling."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _has_suffix(name: str) -> bool:
    return name.lower().endswith(SUFFIXES + CSV_SUFFIXES)


def _table_named(name: str) -> str:
    """Return the table that a file or folder of this name would be, as it is spelled."""
    # The longest first: `.csv.gz`.
    suffixes = sorted(SUFFIXES + CSV_SUFFIXES, key=len, reverse=True)
    suffix = next((each for each in suffixes if name.lower().endswith(each)), "")
    return name.removesuffix(name[len(name) - len(suffix) :]) if suffix else name


def _is_table(path: Path) -> bool:
    if stat.S_ISDIR(mode := _mode(path)):
        return any(_below(path, (), (os.path.realpath(path),)))
    if mode:
        return _names_data(path)
    # This raises SourceError: a dangling link must not look like an absent table.
    return bool(data_file(path, ()))


def _names_data(path: Path) -> bool:
    """Tell whether a file is data by its name; raise SourceError for Parquet of another name."""
    if _has_suffix(path.name):
        return True
    if not path.name.lower().endswith(BACKUP_SUFFIXES) and _begins_like_parquet(path):
        raise _unusable(path, f"it is Parquet, but its name does not end in {SUFFIXES[0]}")
    return False


def _below(
    folder: Path, keys: tuple[tuple[str, str | None], ...], above: tuple[str, ...]
) -> Iterator[DataFile]:
    """Yield the data files below a folder; `above` are the real paths of its parents."""
    for path in _entries(folder):
        if stat.S_ISDIR(mode := _mode(path)):
            real = os.path.realpath(path)
            if real in above:
                raise _unusable(path, "it is a link to a folder above it")
            yield from _below(path, keys + _keys_in(path.name), (*above, real))
        elif _names_data(path) or not mode:
            yield data_file(path, keys)


def _keys_in(name: str) -> tuple[tuple[str, str | None], ...]:
    key, sign, value = name.partition("=")
    if not key or not sign:
        return ()
    # Bytes that are not UTF-8 are kept, so that a column that needs the value can refuse it.
    key, text = (unquote(each, errors="surrogateescape") for each in (key, value))
    return ((key, None if value == NO_VALUE else text),)


def _begins_like_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def data_file(path: Path, keys: tuple[tuple[str, str | None], ...] = ()) -> DataFile:
    """Return a file as it is now; raise SourceError if there is none."""
    try:
        str(path).encode()
        found = path.stat()
    except UnicodeEncodeError as error:
        raise _unusable(path, "its name is not UTF-8") from error
    except OSError as error:
        is_link = path.is_symlink() and error.errno in (errno.ENOENT, errno.ELOOP)
        reason = "it is a dangling link" if is_link else error.strerror
        raise _unusable(path, reason or str(error)) from error
    if not stat.S_ISREG(found.st_mode):
        raise _unusable(path, "it is not a file")
    return DataFile(
        str(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, keys
    )


def _unusable(path: Path, reason: str) -> SourceError:
    shown = str(path).encode(errors="backslashreplace").decode()
    return SourceError(f"cannot read {shown}", reason, hint="repair it, rename it, or remove it")
