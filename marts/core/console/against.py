"""What `marts diff --against` means: an environment, a date, a database, data, or a revision."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from marts.core.console.project_file import project_settings
from marts.core.errors import UsageError, did_you_mean
from marts.core.operations.diff import Against, Data, Revision
from marts.core.operations.former import package_folder
from marts.core.operations.revisions import is_revision
from marts.core.operations.wiring import Linked
from marts.core.project.settings import DUCKDB, FILE, Settings

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
ENVIRONMENT, REVISION = "env:", "rev:"
MAGIC, MAGIC_AT = b"DUCK", 8


def meant(text: str | None, settings: Settings, project: Linked, start: Path = Path()) -> Against:
    """Return what a build is to be compared with.

    `env:` and `rev:` before a name say which kind is meant, and a path with a slash is a path.
    Raises UsageError for what is nothing of all this, and for what may be several.
    """
    if text is None:
        return None
    if DAY.fullmatch(text):
        return _day(text)
    for prefix, read in ((ENVIRONMENT, _environment), (REVISION, _revision)):
        if text.startswith(prefix):
            if text == prefix:
                raise UsageError(f"--against {text} has no name", hint=f"write {prefix}NAME")
            return read(text.removeprefix(prefix), settings, start)
    kinds = _kinds(text, settings, project, start)
    if not kinds:
        raise _unknown(text, settings)
    if len(kinds) > 1:
        raise UsageError(
            f"--against {text} may mean several things", *kinds, hint="pass one of these"
        )
    (found,) = kinds.values()
    return found()


def _kinds(
    text: str, settings: Settings, project: Linked, start: Path
) -> dict[str, Callable[[], Against]]:
    """Return what a text may mean, by words that say how it is written without doubt."""
    kinds: dict[str, Callable[[], Against]] = {}
    path = start / text
    if text in settings.environments:
        words = f"the environment: {ENVIRONMENT}{text}"
        kinds[words] = lambda: _environment(text, settings, start)
    if path.exists():
        words = f"the {'folder' if path.is_dir() else 'file'}: ./{text}"
        kinds[words] = lambda: _path(path, settings)
    is_path = "/" in text and path.exists()
    if not is_path and is_revision(package_folder(settings, project.graph), text):
        kinds[f"the git revision: {REVISION}{text}"] = lambda: Revision(text)
    return kinds


def _revision(name: str, _settings: Settings, _start: Path) -> Against:
    return Revision(name)


def _environment(name: str, settings: Settings, start: Path) -> Settings:
    found = project_settings(name, option="--against", start=start)
    if name == settings.env and not settings.given & {"database", "schema", "backend"}:
        raise UsageError(
            f"--against {name}: this is the environment of the call itself",
            hint="pass another environment to --env or to --against",
        )
    return replace(found, package=settings.package)


def _day(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--against {text}: there is no such day") from error


def _path(path: Path, settings: Settings) -> Against:
    """Return a folder of data, or the marts that are published in a database."""
    if path.is_dir():
        return Data(path)
    with path.open("rb") as binary:
        if binary.read(MAGIC_AT + len(MAGIC))[MAGIC_AT:] != MAGIC:
            raise UsageError(
                f"--against {path} is not a DuckDB database",
                hint="name a database that `marts run` has published to, or a folder of data",
            )
    # Variables and options of the call, but for the schema, are not for the other database.
    return Settings(
        package=settings.package,
        database=str(path.absolute()),
        schema=settings.schema if settings.backend == DUCKDB else Settings.schema,
        data=settings.data if settings.backend == DUCKDB else None,
        sources=settings.sources if settings.backend == DUCKDB else {},
        threads=settings.threads if settings.backend == DUCKDB else None,
        memory_limit=settings.memory_limit,
        folder=settings.folder,
        given=settings.given,
    )


def _unknown(text: str, settings: Settings) -> UsageError:
    known = settings.environments
    none = f"{FILE} has no environments" if settings.file.exists() else f"there is no {FILE} here"
    return UsageError(
        f"--against {text}: there is no such environment, file, folder or git revision",
        f"the environments in {settings.file} are: {', '.join(known)}" if known else none,
        hint=did_you_mean(text, known)
        or "name an environment, a DuckDB database, a folder of data, a git revision or a date",
    )
