"""A digest of files of code: their contents, whatever their times.

They are handled by plain names: these are hundreds, for a run that may have nothing to do.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Protocol

CODE = (".py", ".pyc", ".so", ".pyd")
CACHE = "__pycache__"
"""What Python keeps there, it compares with the code itself."""


class Digest(Protocol):
    """A digest that can be updated, such as one of hashlib's."""

    def update(self, data: bytes, /) -> None:
        """Add bytes to it."""


def add_folder(digest: Digest, folder: str, *, without: Collection[str] = ()) -> None:
    """Add all code below a folder to a digest, by its place there; leave out folders of some names.

    Links to folders are not followed: their names are added.
    """
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in (CACHE, *without))
        digest.update(f"{os.path.relpath(parent, folder)}: {folders}\n".encode("utf-8", "replace"))
        for name in sorted(names):
            if name.endswith(CODE):
                add_file(digest, os.path.join(parent, name))


def add_file(digest: Digest, name: str) -> None:
    """Add a file to a digest, without its place."""
    with open(name, "rb", buffering=0) as file:
        text = file.read()
    digest.update(f"{os.path.basename(name)} {len(text)}\n".encode("utf-8", "replace"))
    digest.update(text)
