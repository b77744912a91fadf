"""A directory of Parquet files as a star schema: which files a table consists of.

A table is one file `<table>.parquet`, or every Parquet file below a folder `<table>/` (or
`<table>.parquet/`, as Spark writes it), at any depth. Names that begin with `.` or `_` are not
data, but for folders `_key=value`. A folder `key=value` below the table's own belongs to the files
in it; one above never does.
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

from marts.core.errors import SourceError, UsageError

SUFFIXES = (".parquet", ".parq", ".pq")
"""How the names of Parquet files end, in upper or lower case."""

SET_ASIDE = (".bak", ".old", ".orig", ".tmp", "~")
"""How names end of files that somebody, or a program, does not want to be read."""
OTHER_FORMAT = re.compile(
    r"\.(csv|tsv|jsonl?|ndjson|orc|avro|arrow|feather|xlsx)(\.\w+)?$|\.(parquet|parq|pq)\.\w+$"
)

LAYOUT = "<table>.parquet, or Parquet files below <table>/,"
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
MAGIC = b"PAR1"


@dataclass(frozen=True)
class DataFile:
    """A Parquet file as it was when it was found; `keys` are its partition folders', in order.

    A key's value is None where the folder says that it has no value.
    """

    path: str
    size: int
    modified_ns: int
    changed_ns: int
    inode: int
    keys: tuple[tuple[str, str | None], ...] = ()

    @property
    def state(self) -> tuple[int, ...]:
        """What differs once the file is written to, or replaced."""
        # The time of change, too: who copies an older file over one keeps that of its writing.
        return (self.size, self.modified_ns, self.changed_ns, self.inode)


def find_sources(folder: Path) -> dict[str, Path]:
    """Return the file or folder of every table in a directory, by lower-case name.

    Raises what `find_source` does, for any of them.
    """
    names = {_table_named(path.name) for path in _entries(_root(folder))}
    found = {name: find_source(folder, name) for name in sorted(names)}
    return {name: path for name, path in found.items() if path is not None}


def find_source(folder: Path, name: str) -> Path | None:
    """Return the file or folder that is a table, None where there is neither.

    A folder without Parquet files is not a table. Raises UsageError where the directory is missing,
    SourceError where two things could be the table, one that could be is a dangling link, or there
    is only a file named almost so, or in another format.
    """
    root = _root(folder)
    named = [path for path in _entries(root) if _table_named(path.name) == name.lower()]
    found = [path for path in named if _is_table(path)]
    if len(found) > 1:
        raise SourceError(f"{name} is there twice", *map(str, found), hint="remove one")
    if not found:
        _refuse_almost_named(root, name)
    return found[0] if found else None


def _refuse_almost_named(root: Path, name: str) -> None:
    for path in _entries(root):
        found = path.name.lower()
        if not found.startswith(f"{name.lower()}.") or found.endswith(SET_ASIDE):
            continue
        if _begins_like_parquet(path):
            suffix = path.suffix if _has_suffix(path.name) else SUFFIXES[0]
            raise _unusable(path, f"it is Parquet, but its name is not {name}{suffix}")
        if path.is_file() and OTHER_FORMAT.search(found):
            raise _unusable(path, "it is not Parquet")


def files_of(table: Path) -> list[DataFile]:
    """Return the Parquet files of a table, in order, as they are now.

    Raises SourceError for what cannot be a part of it, or is one twice: a dangling link, a link
    that leads back, a file that two names mean, a name that is not text.
    """
    if not table.is_dir():
        return [_data_file(table, ())]
    files = sorted(_below(table, (), (os.path.realpath(table),)), key=lambda file: file.path)
    seen: dict[str, str] = {}
    for file in files:
        real = os.path.realpath(file.path)
        if real in seen:
            raise SourceError(
                f"{table.name} has one file twice", seen[real], file.path, hint="remove the link"
            )
        seen[real] = file.path
    return files


def pattern_of(table: Path) -> str:
    """Return a pattern of a table's files, to be read by people."""
    path = glob.escape(str(table))
    return f"{path}/**/*{SUFFIXES[0]}" if table.is_dir() else path


def changed(files: Iterable[DataFile]) -> Iterator[str]:
    """Yield what has become of files that are not as they were: changed, or gone."""
    for file in files:
        try:
            if _data_file(Path(file.path), file.keys).state != file.state:
                yield f"{file.path} changed"
        except SourceError:
            yield f"{file.path} is gone"


def data_as_of(folder: Path) -> datetime.date | None:
    """Return the date in a directory's `dataset.json`, None where it has none."""
    file = folder / "dataset.json"
    if not os.path.lexists(file):
        return None
    try:
        text = file.read_text("utf-8")
        return _day(json.loads(text)["as_of"])
    except OSError as error:
        raise SourceError(f"cannot read {file}", error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        # Python says of a byte-order mark that it is one.
        raise SourceError(
            f"{file} does not say the data's date",
            *([str(error)] if isinstance(error, ValueError) else []),
            hint='as {"as_of": "2025-06-30"}',
        ) from error


def _day(text: str) -> datetime.date:
    # Python takes a week for its Monday.
    if "W" in text:
        raise ValueError(f"{text} is a week")
    return datetime.date.fromisoformat(text)


def digest_of(files: Iterable[DataFile], *more: object) -> str:
    """Return what changes when a file is added, removed, replaced or written to, or `more` does."""
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
    """Return what lies in a folder and may be data, in order."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise SourceError(f"cannot look into {folder}", error.strerror or str(error)) from error
    return [path for path in paths if not _is_hidden(path.name)]


def _is_hidden(name: str) -> bool:
    # Spark and Hive, whose rule this is, write a column's folder whatever the column is called.
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _mode(path: Path) -> int:
    """Return what lies at a path, 0 where nothing can be seen there: a link may be dangling."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _has_suffix(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _table_named(name: str) -> str:
    """Return the table that a file or folder of this name would be."""
    return (name.rpartition(".")[0] if _has_suffix(name) else name).lower()


def _is_table(path: Path) -> bool:
    if stat.S_ISDIR(mode := _mode(path)):
        return any(_below(path, (), (os.path.realpath(path),)))
    if mode:
        return _names_data(path)
    # Raises: a table that a link has lost must not look like an absent one.
    return bool(_data_file(path, ()))


def _names_data(path: Path) -> bool:
    """Tell whether a file is data by its name; raises SourceError where only its name hides it."""
    if _has_suffix(path.name):
        return True
    if not path.name.lower().endswith(SET_ASIDE) and _begins_like_parquet(path):
        raise _unusable(path, f"it is Parquet, but its name does not end in {SUFFIXES[0]}")
    return False


def _below(
    folder: Path, keys: tuple[tuple[str, str | None], ...], above: tuple[str, ...]
) -> Iterator[DataFile]:
    """Yield the Parquet files below a folder; `above` are the real paths that lead to it."""
    for path in _entries(folder):
        if stat.S_ISDIR(mode := _mode(path)):
            real = os.path.realpath(path)
            if real in above:
                raise _unusable(path, "it is a link that leads back to a folder above it")
            yield from _below(path, keys + _keys_in(path.name), (*above, real))
        elif _names_data(path) or not mode:
            yield _data_file(path, keys)


def _keys_in(name: str) -> tuple[tuple[str, str | None], ...]:
    key, sign, value = name.partition("=")
    if not key or not sign:
        return ()
    # What is not UTF-8 stays apart, for whoever needs it to refuse it.
    key, text = (unquote(each, errors="surrogateescape") for each in (key, value))
    return ((key, None if value == NO_VALUE else text),)


def _begins_like_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _data_file(path: Path, keys: tuple[tuple[str, str | None], ...]) -> DataFile:
    try:
        str(path).encode()
        found = path.stat()
    except UnicodeEncodeError as error:
        raise _unusable(path, "its name is not UTF-8") from error
    except OSError as error:
        is_link = path.is_symlink() and error.errno in (errno.ENOENT, errno.ELOOP)
        reason = "it is a link that leads nowhere" if is_link else error.strerror
        raise _unusable(path, reason or str(error)) from error
    if not stat.S_ISREG(found.st_mode):
        raise _unusable(path, "it is not a file")
    return DataFile(
        str(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, keys
    )


def _unusable(path: Path, reason: str) -> SourceError:
    shown = str(path).encode(errors="backslashreplace").decode()
    return SourceError(f"cannot read {shown}", reason, hint="mend it, rename it, or remove it")
