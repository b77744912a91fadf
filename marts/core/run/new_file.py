"""Write a file under a temporary name, and move it into place when it is complete."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from marts.core.errors import EngineError, UsageError

HINTS = {
    errno.ENOSPC: "free some space, or name a file on another disk",
    errno.EDQUOT: "free some space, or name a file on another disk",
    errno.ENAMETOOLONG: "choose a shorter name",
}
ELSEWHERE = "name a file in a folder that can be written to"


def refuse_wrong_place(path: Path, *, overwrite: bool) -> None:
    """Raise UsageError if a file cannot be there: no folder, or something is there already."""
    if not path.parent.is_dir():
        is_there = path.parent.exists()
        raise UsageError(
            f"there is no folder {path.parent}"
            if not is_there
            else f"{path.parent} is not a folder",
            hint="name a folder that exists" if is_there else f"mkdir -p {path.parent}",
        )
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is not a file", hint="choose another --output")
    if path.exists() and not overwrite:
        raise _exists(path)


def _exists(path: Path) -> UsageError:
    return UsageError(f"{path} exists", hint="pass --overwrite to replace it, or another --output")


@contextmanager
def new_file(path: Path, *, overwrite: bool, private: bool) -> Iterator[BinaryIO]:
    """Open a file that appears at its path, complete, at the end; after an error there is none.

    A `private` file can only be read by its owner. Raises UsageError if there is a file at the end
    that must not be replaced, EngineError if the file cannot be written.
    """
    # Only the file that a link leads to is replaced, not the link.
    place = path.resolve()
    temporary = place.with_name(f".{place.name[:100]}.{os.urandom(4).hex()}")
    try:
        with _writing(path):
            mode = 0o600 if private else 0o666
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(descriptor)
            _move(temporary, place, overwrite=overwrite)
    except FileExistsError:
        raise _exists(path) from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def _move(temporary: Path, place: Path, *, overwrite: bool) -> None:
    """Give a file its name; raise FileExistsError if another has it that must not be replaced."""
    if not overwrite:
        try:
            # Unlike a change of name, this never replaces what has appeared meanwhile.
            os.link(temporary, place)
        except FileExistsError:
            raise
        except OSError:
            # Some file systems have no such links.
            if place.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        else:
            return
    temporary.replace(place)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        raise EngineError(
            f"cannot write {path}",
            error.strerror or str(error),
            hint=HINTS.get(error.errno or 0, ELSEWHERE),
        ) from error
