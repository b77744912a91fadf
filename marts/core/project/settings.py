"""The settings of a project and a call: one frozen object, made in layers."""

from __future__ import annotations

import datetime
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from marts.core.authoring.tolerance import Acknowledgement, acknowledge
from marts.core.errors import UsageError, did_you_mean

FILE = "pyproject.toml"
BACKENDS = DUCKDB, SNOWFLAKE = "duckdb", "snowflake"
PROOF_LEVELS = ("engines", "reference", "reference + mutants")
"""How much a proof may say, the least first."""
OF_ONE_ENGINE = ("database", "sources")
"""The settings that mean nothing to another engine than the one they were written for."""
DEFAULT_DATABASE = "target/marts.duckdb"
"""DuckDB's file, relative to the project's folder."""
NOWHERE = Path(os.devnull)
"""In place of a folder: there is none, whatever the default."""
PROTECTION = ("masking_policy", "tag", "value")
"""The keys of each entry of `[tool.marts.personal]`."""
QUALIFIED = re.compile(r'((?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)(?:\.|$)){3}(?<!\.)')
ACKNOWLEDGEMENT = ("table", "check", "reason", "until")
"""The keys of each `[[tool.marts.acknowledge]]`."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a command: defaults, then the project's file, variables, and options.

    In the file, the table of an environment overrides `[tool.marts]`. A field has the name of its
    option, and of its key in the file, where a project can set it. None leaves the choice to the
    code that uses the field.
    """

    package: str | None = None
    env: str | None = None
    """The environment: the table of the project's file that overrides `[tool.marts]`."""
    environments: tuple[str, ...] = ()
    """The environments that the project's file has."""
    defer: str | None = None
    """The environment whose marts are read where those of this one are not up to date."""
    elsewhere: Settings | None = None
    """Its settings, for a command that reads them."""
    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    as_of: datetime.date | None = None
    backend: str = DUCKDB
    data: Path | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where sources are that are not in `data`, or the sources' schema, under their own names."""
    database: str | None = None
    schema: str = "gold"
    source_database: str | None = None
    source_schema: str | None = None
    connection: str | None = None
    warehouse: str | None = None
    role: str | None = None
    threads: int | None = None
    memory_limit: str | None = None
    lock_timeout: int | None = None
    """How many seconds a run waits for another one that is publishing."""
    reshape: tuple[str, ...] = ()
    """The marts whose columns, types or kind may change for readers."""
    personal: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What protects columns with each kind of personal data, where an engine has such a thing."""
    target: Path = Path("target")
    strict: bool = False
    acknowledge: tuple[tuple[str, Acknowledgement], ...] = ()
    """Acknowledgements of warnings, each with its table."""
    proof: tuple[Path, ...] | None = None
    """Files and folders of Python modules that declare what proofs need, besides the package."""
    examples: Path | None = None
    """The folder of the marts' examples."""
    proof_level: str = PROOF_LEVELS[-1]
    """How much the project asks of a proof."""
    require_proof: bool = False
    """Whether a run refuses marts that are not proven."""
    proof_file: Path | None = None
    """The file with the proofs that count, in place of those recorded beside the marts."""
    folder: Path = Path()
    """The folder of the project's file, relative to the current one, which is the default."""
    given: frozenset[str] = field(default=frozenset())
    """The fields that the environment or options have set."""

    @property
    def file(self) -> Path:
        """The project's file, whether it exists or not."""
        return self.folder / FILE

    @property
    def database_file(self) -> Path | None:
        """DuckDB's file with the published marts; None if they are elsewhere or in memory."""
        if self.backend != DUCKDB or self.database == ":memory:":
            return None
        return self.folder_of("database") / (self.database or DEFAULT_DATABASE)

    def folder_of(self, name: str) -> Path:
        """Return the folder that a field's path or package is relative to.

        It is the current folder if the environment or an option set the field, else the project's.
        """
        return Path() if name in self.given else self.folder


def with_given(settings: Settings, **values: Any) -> Settings:
    """Return settings with the values of the environment and the options.

    The acknowledgements, reshapes, sources, personal data, proof modules and examples of a
    project's file are only for its own package, its database and sources are only for its own
    engine, and its sources only for its own data: they are dropped for another package, engine or
    data. What the file requires to be proven, neither a variable nor an option takes back.
    """
    if settings.require_proof:
        values.pop("require_proof", None)
    if settings.package not in (None, values.get("package", settings.package)):
        settings = replace(
            settings,
            acknowledge=(),
            reshape=(),
            sources={},
            personal={},
            proof=(),
            examples=NOWHERE,
        )
    backend = values.get("backend", settings.backend)
    if settings.backend != backend:
        database = settings.database if "database" in settings.given else None
        settings = replace(settings, database=database, sources={})
    if "data" in values and backend == DUCKDB:
        settings = replace(settings, sources={})
    return replace(settings, **values, given=settings.given.union(values))


@dataclass(frozen=True)
class _Kind:
    """What a value in the file must be, in words and as a predicate, and how it is read."""

    words: str
    fits: Callable[[Any], bool]
    read: Callable[[Any, Path], Any] = lambda value, _file: value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_list(value: object, fits: Callable[[object], bool]) -> bool:
    return isinstance(value, list) and all(map(fits, value))


def _is_table(value: object, fits: Callable[[object], bool]) -> bool:
    return isinstance(value, dict) and all(map(fits, value.values()))


def acknowledged_in(
    entries: Iterable[Mapping[str, object]], file: Path
) -> tuple[tuple[str, Acknowledgement], ...]:
    """Return each acknowledgement of a project's file with its table.

    Raises UsageError for an entry with missing or unknown keys.
    """
    return tuple(_acknowledgement(entry, file) for entry in entries)


def _acknowledgement(entry: Mapping[str, object], file: Path) -> tuple[str, Acknowledgement]:
    words = {key: str(entry.get(key, "")) for key in ACKNOWLEDGEMENT}
    if set(entry) != set(ACKNOWLEDGEMENT) or not all(words.values()):
        raise UsageError(
            f"an acknowledgement in {file} has {', '.join(entry) or 'nothing'}",
            hint=f"it needs {', '.join(ACKNOWLEDGEMENT)}",
        )
    try:
        known = acknowledge(words["check"], reason=words["reason"], until=words["until"])
    except ValueError as error:
        raise UsageError(
            f"an acknowledgement in {file} is until {words['until']}",
            hint="write the date like this: 2027-06-30",
        ) from error
    return words["table"], known


def protections_in(
    entries: Mapping[str, Mapping[str, object]], file: Path
) -> Mapping[str, Mapping[str, str]]:
    """Return what protects each kind of personal data; the value of a tag is the kind by default.

    Raises UsageError for unknown keys, and for a name that is not qualified.
    """
    return {kind: _protection(kind, entry, file) for kind, entry in entries.items()}


def _protection(kind: str, entry: Mapping[str, object], file: Path) -> Mapping[str, str]:
    said = f"tool.marts.personal.{kind} in {file}"
    if unknown := [key for key in entry if key not in PROTECTION]:
        raise UsageError(
            f"{said} has {unknown[0]}",
            hint=did_you_mean(unknown[0], PROTECTION) or f"it may have {', '.join(PROTECTION)}",
        )
    if not {"masking_policy", "tag"} & entry.keys() or ("value" in entry and "tag" not in entry):
        raise UsageError(
            f"{said} names neither a masking_policy nor a tag"
            if "value" not in entry
            else f"{said} has a value, and no tag that has it",
            hint=f'write {kind} = {{ masking_policy = "DATABASE.SCHEMA.POLICY" }}, or'
            f' {{ tag = "DATABASE.SCHEMA.TAG", value = "{kind}" }}',
        )
    for key, value in entry.items():
        if not _is_text(value) or (key != "value" and not QUALIFIED.fullmatch(str(value))):
            raise UsageError(
                f"{said}: {key} is {_shown(value)}",
                "expected a non-empty string" if key == "value" else "expected a qualified name",
                hint='write "DATABASE.SCHEMA.NAME"; in double quotes within where case matters',
            )
    words = {key: str(value) for key, value in entry.items()}
    return {**words, "value": words.get("value", kind)} if "tag" in words else words


def _is_number(value: object) -> bool:
    return type(value) is int and value >= 1


_TEXT = _Kind("a non-empty string", _is_text)
_FLAG = _Kind("true or false", lambda value: isinstance(value, bool))
_NUMBER = _Kind("a whole number from 1", _is_number)
_PATHS = _Kind(
    "an array of non-empty strings, paths relative to the file",
    lambda value: _is_list(value, _is_text),
    lambda value, file: tuple(file.parent / each for each in value),
)
_PATH = replace(_TEXT, read=lambda value, file: file.parent / value)
_NAMED_TEXTS = _Kind(
    "a table of non-empty strings, one for each source",
    lambda value: _is_table(value, _is_text),
)
_TABLES = _Kind(
    "tables, each written as [tool.marts.environments.NAME]",
    lambda value: _is_table(value, lambda each: isinstance(each, dict)),
    lambda value, _file: tuple(value),
)
_TEXTS = _Kind(
    "an array of non-empty strings",
    lambda value: _is_list(value, _is_text),
    lambda value, _file: tuple(value),
)
KEYS = {
    "package": _TEXT,
    "env": _TEXT,
    "environments": _TABLES,
    "defer": _TEXT,
    "exclude": _TEXTS,
    "backend": _Kind(" or ".join(map(json.dumps, BACKENDS)), lambda value: value in BACKENDS),
    "data": _PATH,
    "sources": _NAMED_TEXTS,
    "database": _TEXT,
    "schema": _TEXT,
    "source_database": _TEXT,
    "source_schema": _TEXT,
    "connection": _TEXT,
    "warehouse": _TEXT,
    "role": _TEXT,
    "threads": _NUMBER,
    "memory_limit": _TEXT,
    "lock_timeout": _NUMBER,
    "reshape": _TEXTS,
    "personal": _Kind(
        'tables by kind of personal data, such as email = { masking_policy = "DB.SCHEMA.POLICY" }',
        lambda value: _is_table(value, lambda each: isinstance(each, dict)),
        protections_in,
    ),
    "target": _PATH,
    "proof": _PATHS,
    "examples": _PATH,
    "proof_level": _Kind(
        " or ".join(map(json.dumps, PROOF_LEVELS)), lambda value: value in PROOF_LEVELS
    ),
    "require_proof": _FLAG,
    "proof_file": _PATH,
    "strict": _FLAG,
    "acknowledge": _Kind(
        "an array of tables, each written as [[tool.marts.acknowledge]]",
        lambda value: _is_list(value, lambda each: isinstance(each, dict)),
        acknowledged_in,
    ),
}
"""The keys of a project's `[tool.marts]`."""
KEYS_OF_ENVIRONMENT = {
    key: kind for key, kind in KEYS.items() if key not in ("package", "env", "environments")
}
"""The keys of each `[tool.marts.environments.NAME]`."""


def settings_of_file(
    table: Mapping[str, Any], file: Path, *, env: str | None = None, option: str = "--env"
) -> Settings:
    """Return the settings of a project's `[tool.marts]`; its paths are relative to its folder.

    The table of the environment `env`, which an `option` names, overrides the others; by default
    the file names it. Raises UsageError, which names the file, the table and the key, for an
    unknown key, for a value of another type, and for an environment that has no table.
    """
    _refuse_wrong(table, KEYS, "tool.marts", file)
    environments = table.get("environments", {})
    for name, each in environments.items():
        _refuse_wrong(each, KEYS_OF_ENVIRONMENT, f"tool.marts.environments.{name}", file)
    name = table.get("env") if env is None else env
    if name is not None and name not in environments:
        named = f"tool.marts.env in {file} is {_shown(name)}"
        raise _no_environment(
            named if env is None else f"{option} {name}", name, environments, file
        )
    # The default is in the project's folder, too, even if a command is called in one below it.
    entries = {"target": str(Settings.target), **_layered(table, environments.get(name, {}))}
    values = {key: KEYS[key].read(value, file) for key, value in entries.items()}
    return Settings(**{**values, "env": name}, folder=file.parent)


def _layered(table: Mapping[str, Any], environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of `[tool.marts]`, overridden by those of an environment.

    Where sources are is overridden for each source. What the table says of it beside its `data` is
    not for an environment with other data, as it is not for `--data`.
    """
    given = [each for each in (table, environment) if "data" in each]
    engines = [each.get("backend", Settings.backend) for each in (table, {**table, **environment})]
    if engines[0] != engines[1]:
        table = {key: value for key, value in table.items() if key not in OF_ONE_ENGINE}
    elif engines[0] == DUCKDB and len({each["data"] for each in given}) > 1:
        table = {key: value for key, value in table.items() if key != "sources"}
    sources = {**table.get("sources", {}), **environment.get("sources", {})}
    return {**table, **environment, "sources": sources}


def _refuse_wrong(
    table: Mapping[str, object], known: Mapping[str, _Kind], where: str, file: Path
) -> None:
    for key, value in table.items():
        if key not in known:
            raise UsageError(
                f"{where}.{key} in {file} is not a setting",
                hint=did_you_mean(key, known) or f"the settings are: {', '.join(known)}",
            )
        if not known[key].fits(value):
            raise UsageError(
                f"{where}.{key} in {file} is {_shown(value)}", f"expected {known[key].words}"
            )


def _no_environment(said: str, name: str, known: Mapping[str, object], file: Path) -> UsageError:
    return UsageError(
        f"{said}: there is no such environment",
        f"the environments in {file} are: {', '.join(known)}"
        if known
        else f"{file} has no environments",
        hint=did_you_mean(name, known)
        or f"write its settings below [tool.marts.environments.{name}]",
    )


def _shown(value: object) -> str:
    """Return a value as TOML, without the contents of tables and arrays: they may be secret."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "an array"
    return json.dumps(value, ensure_ascii=False, default=str)
