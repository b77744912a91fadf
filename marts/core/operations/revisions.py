"""Files of a git revision, read from the repository without a checkout."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from marts.core.errors import EngineError, UsageError

LARGEST = 10_000_000
"""Larger files are data, in bytes."""
FILE_MODES = ("100644", "100755")


@dataclass(frozen=True)
class Revision:
    """A commit: as somebody named it, and its short hash."""

    given: str
    commit: str

    def __str__(self) -> str:
        return self.given if self.commit.startswith(self.given) else f"{self.given} ({self.commit})"


def revision(folder: Path, given: str) -> Revision:
    """Return the commit that somebody names, in the repository of a folder.

    Raises UsageError if there is no repository, or no such commit.
    """
    found = _git(folder, "rev-parse", "--show-toplevel")
    if found.has_failed:
        raise UsageError(
            f"{folder.resolve()} is not in a git repository",
            *found.complaints,
            hint="name the other version of the mart's file: --against FILE",
        )
    words = ("rev-parse", "--verify", "--quiet", "--short", "--end-of-options")
    found = _git(folder, *words, f"{given}^{{commit}}")
    if found.has_failed:
        raise UsageError(
            f"there is no revision {given}, and no file of this name",
            *found.complaints,
            hint="name a commit, branch or tag that `git log` knows"
            if not _git(folder, "rev-parse", "--verify", "--quiet", "HEAD").has_failed
            else "commit first: the repository has no commit yet",
        )
    return Revision(given, found.written.decode().strip())


def is_revision(folder: Path, given: str) -> bool:
    """Tell whether the repository of a folder, if there is one, has a commit of this name."""
    try:
        revision(folder, given)
    except UsageError:
        return False
    return True


def extract(folder: Path, of: Revision, to: Path) -> int:
    """Write the files that a revision has in a folder, and return how many.

    Submodules, symbolic links and large files are left out.
    """
    listed = _git(folder, "ls-tree", "-r", "-z", "--long", of.commit)
    entries = list(_files(_written(listed, folder)))
    blobs = "".join(f"{blob}\n" for blob, _ in entries).encode()
    content = _written(_git(folder, "cat-file", "--batch", given=blobs), folder)
    position = 0
    for _, name in entries:
        end = content.index(b"\n", position)
        size = int(content[position:end].rsplit(b" ", 1)[1])
        file = to / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content[end + 1 : end + 1 + size])
        position = end + size + 2
    return len(entries)


def _files(listed: bytes) -> Iterator[tuple[str, str]]:
    """Yield the name of each file's contents, and its path."""
    for line in listed.decode("utf-8", "surrogateescape").split("\0"):
        about, _, path = line.partition("\t")
        mode, _, blob, size = about.split() if about else ("", "", "", "0")
        if mode in FILE_MODES and int(size) <= LARGEST:
            yield blob, path


@dataclass(frozen=True)
class _Done:
    """How a call of git ended: what it wrote, and what it complained of."""

    has_failed: bool
    written: bytes
    complaints: tuple[str, ...]


def _git(folder: Path, *words: str, given: bytes | None = None) -> _Done:
    try:
        process = subprocess.Popen(  # noqa: S603  (words of our own, and a revision)
            ["git", *words],  # noqa: S607  (the user's git)
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError as error:
        raise UsageError(
            "git is not installed, so no revision can be read",
            hint="name the other version of the mart's file: --against FILE",
        ) from error
    with process:
        written, complaints = process.communicate(given)
    lines = complaints.decode("utf-8", "replace").strip().splitlines()
    return _Done(process.returncode != 0, written, tuple(lines[:3]))


def _written(done: _Done, folder: Path) -> bytes:
    if done.has_failed:
        raise EngineError(f"git failed in {folder.resolve()}", *done.complaints)
    return done.written
