"""Replace a folder as a whole: by a new one that is complete, or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from marts.core.errors import EngineError, UsageError


@contextmanager
def replaced(folder: Path, *, marker: str, hint: str) -> Iterator[Path]:
    """Give an empty folder to fill, which then takes the place of `folder`.

    What is there before must be empty, or have a file of the name `marker`, which is written here:
    nothing else is ever removed. Raises UsageError, with the hint, for anything else that is there,
    and for the current folder; EngineError if it cannot be written.
    """
    place = folder.resolve()
    refuse_others(place, shown=folder, marker=marker, hint=hint)
    with _writing(folder):
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as given:
            new, old = Path(given, "new"), Path(given, "old")
            new.mkdir()
            (new / marker).touch()
            yield new
            # Somebody may have put something there meanwhile.
            refuse_others(place, shown=folder, marker=marker, hint=hint)
            if place.exists():
                place.rename(old)
            try:
                new.rename(place)
            except BaseException:
                if old.exists():
                    old.rename(place)
                raise


def refuse_others(place: Path, *, shown: Path, marker: str, hint: str) -> None:
    """Raise UsageError if a folder was not written here; it may also be absent, or empty."""
    if place.exists() and not place.is_dir():
        raise UsageError(f"{shown} is a file", hint=hint)
    with _writing(shown):
        is_ours = not place.exists() or (place / marker).is_file() or not any(place.iterdir())
    if not is_ours:
        raise UsageError(
            f"{shown} is not empty, and has no earlier output: nothing was written", hint=hint
        )
    if Path.cwd().is_relative_to(place):
        raise UsageError(f"{shown} is the current folder, which would be replaced", hint=hint)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EngineError(
            f"cannot write {folder}",
            error.strerror or str(error),
            hint="pass a folder that can be written to",
        ) from error
