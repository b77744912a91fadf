"""A directory of Parquet files as a star schema."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from marts.core.errors import SourceError, UsageError


def find_sources(fixtures: Path) -> dict[str, str]:
    """Return a path or pattern of Parquet files for each table in a directory.

    A table is `<table>.parquet`, or a folder `<table>/` of Parquet files. Raises UsageError where
    the directory is missing, SourceError where a table is there in both forms.
    """
    if not fixtures.is_dir():
        raise UsageError(
            f"there is no directory {fixtures}",
            hint="pass --fixtures DIR with <table>.parquet or <table>/*.parquet for each source",
        )
    root = fixtures.resolve()
    files = {path.stem: str(path) for path in sorted(root.glob("*.parquet"))}
    folders = {path.parent.name: f"{path.parent}/*.parquet" for path in root.glob("*/*.parquet")}
    if both := sorted(files.keys() & folders.keys()):
        raise SourceError(
            f"{both[0]} is there twice", files[both[0]], folders[both[0]], hint="remove one"
        )
    return files | folders


def data_as_of(fixtures: Path) -> datetime.date | None:
    """Return the date in a directory's `dataset.json`, None where it has none."""
    file = fixtures / "dataset.json"
    if not file.exists():
        return None
    try:
        return datetime.date.fromisoformat(json.loads(file.read_text("utf-8"))["as_of"])
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"{file} does not say the data's date", hint='as {"as_of": "2025-06-30"}'
        ) from error


def version_of(files: Iterable[Path], rows: Mapping[str, int]) -> str:
    """Return a digest of files that changes when one is added, removed, replaced or written to.

    `rows` are the row counts of their footers, by path.
    """
    digest = hashlib.sha256()
    for file in files:
        found = file.stat()
        # The time of change, too: who copies an older file over one keeps that of its writing.
        times = (found.st_mtime_ns, found.st_ctime_ns)
        digest.update(f"{file} {found.st_size} {times} {rows.get(str(file))}\n".encode())
    return digest.hexdigest()


def files_of(pattern: str) -> list[Path]:
    """Return the files of a table, in order."""
    path = Path(pattern)
    return sorted(path.parent.glob(path.name))
