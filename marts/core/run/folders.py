"""Replace a folder as a whole: by a new one that is complete, or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath

from marts.core.errors import EngineError, UsageError

MOST_NAMED = 10


@dataclass(frozen=True)
class Ours:
    """How a folder that was written here is known.

    It has a file of the name `marker`, which lists what was written beside it, a path a line. A
    path of a folder, which earlier versions listed, stands for all that is in it. An empty marker
    stands for the names of `default`. `hint` is for errors: how to choose another folder.
    """

    marker: str
    default: Collection[str]
    hint: str

    def paths(self, folder: Path) -> set[PurePath]:
        """Return the paths of what was written to a folder that has the marker, with the marker."""
        listed = (folder / self.marker).read_text("utf-8", errors="replace").splitlines()
        return {PurePath(self.marker), *map(PurePath, listed or self.default)}

    def others(self, folder: Path) -> list[str]:
        """Return the paths of what is in a folder that has the marker, but was not written."""
        listed = self.paths(folder)
        return sorted(_others(folder, PurePath(), listed, {p for f in listed for p in f.parents}))


@contextmanager
def replaced(folder: Path, ours: Ours) -> Iterator[Path]:
    """Give an empty folder to fill, which then takes the place of `folder`.

    What is there before must be empty, or have the marker and only what the marker lists: nothing
    else is ever removed. Raises UsageError for anything else that is there, and for the current
    folder; EngineError if it cannot be written.
    """
    place = folder.resolve()
    refuse_others(place, ours, shown=folder)
    with _writing(folder):
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as given:
            new, old = Path(given, "new"), Path(given, "old")
            new.mkdir()
            yield new
            files = (each.relative_to(new).as_posix() for each in new.rglob("*") if each.is_file())
            (new / ours.marker).write_text("".join(f"{path}\n" for path in sorted(files)), "utf-8")
            # Somebody may have put something there meanwhile.
            refuse_others(place, ours, shown=folder)
            if place.exists():
                place.rename(old)
            try:
                new.rename(place)
            except BaseException:
                if old.exists():
                    old.rename(place)
                raise


def refuse_others(place: Path, ours: Ours, *, shown: Path) -> None:
    """Raise UsageError if a folder has what was not written here; it may be absent, or empty."""
    if place.exists() and not place.is_dir():
        raise UsageError(f"{shown} is a file", hint=ours.hint)
    with _writing(shown):
        is_empty = not place.exists() or not any(place.iterdir())
        is_ours = is_empty or (place / ours.marker).is_file()
        others = ours.others(place) if is_ours and not is_empty else []
    if not is_ours:
        raise UsageError(
            f"{shown} is not empty, and has no earlier output: nothing was written",
            hint=f"{ours.hint}, or empty this one",
        )
    if others:
        raise UsageError(
            f"{shown} has what was not written here, and would be replaced: nothing was written",
            *others[:MOST_NAMED],
            *([f"and {len(others) - MOST_NAMED:,} more"] * (len(others) > MOST_NAMED)),
            hint=f"move these elsewhere, or {ours.hint}",
        )
    if Path.cwd().is_relative_to(place):
        raise UsageError(f"{shown} is the current folder, which would be replaced", hint=ours.hint)


def _others(
    folder: Path, within: PurePath, listed: Collection[PurePath], folders: Collection[PurePath]
) -> Iterator[str]:
    for each in folder.iterdir():
        path = within / each.name
        if path in listed:
            continue
        if path in folders and each.is_dir() and not each.is_symlink():
            yield from _others(each, path, listed, folders)
        else:
            yield path.as_posix()


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
