"""A digest of files of code: their contents, whatever their times.

They are handled by plain names: these are hundreds, for a run that may have nothing to do.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from typing import Protocol

CODE = (".py", ".so", ".pyd")


class Digest(Protocol):
    """A digest that can be updated, such as one of hashlib's."""

    def update(self, data: bytes, /) -> None:
        """Add bytes to it."""


def add_files(digest: Digest, files: Iterable[str]) -> None:
    """Add the names and the contents of files to a digest."""
    for name in files:
        with open(name, "rb", buffering=0) as file:
            text = file.read()
        digest.update(f"\n{os.path.basename(name)} {len(text)}\n".encode())
        digest.update(text)


def files_below(folder: str, *, without: Collection[str] = ()) -> Iterator[str]:
    """Yield the files of code below a folder, in an order that no folder's place changes.

    Folders with some names are left out.
    """
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in without)
        yield from (os.path.join(parent, name) for name in sorted(names) if name.endswith(CODE))
