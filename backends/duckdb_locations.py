"""Where the sources of DuckDB are: files or folders, or tables of a DuckDB file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from backends.data_files import LAYOUT, find_source, located
from marts.core.errors import SourceError, UsageError
from marts.core.run.backend import Contract

MAGIC, MAGIC_AT = b"DUCK", 8
SUFFIXES = (".duckdb", ".ddb", ".db")
DEFAULT_SCHEMA = "main"
FORMS = 'a file, a folder, "crm.duckdb", or "crm.duckdb:schema.table"'
PART = re.compile(r'"((?:[^"]|"")+)"|([^".\s][^".]*)')
PLAIN = re.compile(r"\w+")
WORDS = "tool.marts.sources"


@dataclass(frozen=True)
class Files:
    """A file, or a folder of files."""

    path: Path


@dataclass(frozen=True)
class Relation:
    """A table or view of a DuckDB file; `is_given` says that somebody has named this very one."""

    file: Path
    schema: str
    name: str
    is_given: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.schema}.{self.name}"


Location = Files | Relation


@dataclass(frozen=True)
class Locations:
    """Where sources are: in `data`, a folder or a DuckDB file, unless `given` has the location.

    Given locations are relative to `folder`. `data` is None if no data are named.
    """

    data: Path | None
    given: Mapping[str, str]
    folder: Path

    def find(self, name: str, contract: Contract) -> Location | None:
        """Return where a source is, None if it is not in the data; a table may yet be absent.

        Raises UsageError for a location that does not exist or cannot be one, and SourceError for
        files that cannot be the source.
        """
        if name in self.given:
            return self._given(name, contract, self.given[name])
        wanted = contract.source_name or name
        if self.data is None:
            return None
        if is_database(self.data):
            return Relation(self.data, DEFAULT_SCHEMA, wanted)
        if self.data.is_file():
            raise UsageError(
                f"{self.data} is neither a folder nor a DuckDB file",
                hint=f"for one source alone, write its location into [{WORDS}]",
            )
        path = find_source(self.data, wanted, as_spelled=contract.source_name is not None)
        return Files(path) if path else None

    def _given(self, name: str, contract: Contract, text: str) -> Location:
        whole = self.folder / text
        if is_database(whole):
            return Relation(whole, DEFAULT_SCHEMA, contract.source_name or name, is_given=True)
        if whole.exists():
            try:
                return Files(located(whole))
            except SourceError as error:
                raise _wrong(name, text, error.summary, *error.facts) from error
        for file, table in _split(text):
            if is_database(self.folder / file):
                schema, relation = _named(name, text, table)
                return Relation(self.folder / file, schema, relation, is_given=True)
        files = [file for file, _ in _split(text)]
        if found := next((each for each in files if (self.folder / each).is_file()), None):
            raise _wrong(name, text, f"{self.folder / found} is not a DuckDB file")
        missing = next((each for each in files if each.lower().endswith(SUFFIXES)), text)
        raise _wrong(name, text, f"{self.folder / missing} does not exist", hint=_hint(text))

    def __str__(self) -> str:
        places = [*([str(self.data)] if self.data else []), *dict.fromkeys(self.given.values())]
        return ", ".join(places) or "no data"

    @property
    def layout(self) -> str:
        """Where sources are searched for, in words."""
        if self.data is None:
            return f"the locations of [{WORDS}]"
        if is_database(self.data):
            return f"schema {DEFAULT_SCHEMA} of {self.data}"
        return f"{self.data}/ for {LAYOUT.rstrip(',')}"


def is_database(file: Path) -> bool:
    """Tell whether a file is one of DuckDB's, by its contents."""
    try:
        with file.open("rb") as binary:
            return binary.read(MAGIC_AT + len(MAGIC))[MAGIC_AT:] == MAGIC
    except OSError:
        return False


def written(schema: str, name: str) -> str:
    """Return a table as a location names it, with quotes around a part that needs them."""
    return ".".join(
        part if PLAIN.fullmatch(part) else '"' + part.replace('"', '""') + '"'
        for part in (schema, name)
    )


def _split(text: str) -> Iterator[tuple[str, str]]:
    """Yield a text as it is, then split at each colon: a file may have one in its name."""
    yield text, ""
    for found in re.finditer(":", text):
        yield text[: found.start()], text[found.end() :]


def _named(name: str, text: str, table: str) -> tuple[str, str]:
    """Return the schema and the name of a table, written as table or schema.table."""
    parts, rest = list[str](), table
    while found := PART.match(rest):
        parts.append((found[1] or found[2]).replace('""', '"'))
        rest = rest[found.end() :]
        if not rest.startswith("."):
            break
        rest = rest[1:] or "."
    if rest or not 1 <= len(parts) <= 2:
        raise _wrong(name, text, f"{table or 'nothing'} is not a table, or schema.table")
    return (parts[0] if len(parts) == 2 else DEFAULT_SCHEMA), parts[-1]


def _wrong(name: str, text: str, *facts: str, hint: str = f"write {FORMS}") -> UsageError:
    return UsageError(f"the location of source {name} is wrong: {text}", *facts, hint=hint)


def _hint(text: str) -> str:
    if re.search(r"[*?\[]", text):
        return "name the folder: patterns are not read"
    return f"correct it in [{WORDS}]: {FORMS}, relative to the project's file"
