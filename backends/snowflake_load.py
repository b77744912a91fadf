"""Upload a directory of Parquet files as tables, to try marts on an empty account.

The rows go into temporary tables, from a temporary stage: both end with the session, however it
ends. Tables are created or replaced when all rows have arrived and were compared with the files.
"""

from __future__ import annotations

import datetime
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any

from backends import snowflake_ddl as ddl
from backends.data_files import changed
from backends.load_files import Content, LoadTable, loaded_as, read_contents
from backends.snowflake import SnowflakeBackend
from backends.snowflake_errors import LostAnswerError
from backends.snowflake_governance import governance
from backends.snowflake_kinds import unreplaceable
from marts.core.errors import EngineError, SourceError, UsageError
from marts.core.plan.state import is_reserved

RESOLUTION = datetime.timedelta(milliseconds=1)
"""How far a timestamp may be from its file's: the connector returns no nanoseconds."""


@dataclass(frozen=True)
class Upload:
    """A table's files under plain names, and where they go: a folder in the stage, a table."""

    table: LoadTable
    relation: str
    stage_path: str
    names: tuple[str, ...]


def load(
    backend: SnowflakeBackend, tables: Sequence[LoadTable], *, run_id: str, overwrite: bool
) -> None:
    """Create each table with all columns and rows of its files.

    Raises UsageError if a table exists and `overwrite` is false, SourceError if a file cannot be
    read or changes meanwhile, EngineError if Snowflake does not have the files' rows. None is
    created or replaced then.
    """
    existing = _existing(backend, [table.name for table in tables], overwrite=overwrite)
    contents = read_contents(tables)
    done = False
    try:
        backend.begin(run_id)
        # A dash, even in double quotes, is not sure to work in the name of a stage.
        run = run_id.replace("-", "_")
        stage = backend.schema.qualified(f"MARTS_LOAD_{run}")
        backend.execute(ddl.create_temporary_stage(stage), step="load")
        uploads = [
            _upload_of(table, number, stage, backend.schema.qualified(f"{table.name}__LOAD_{run}"))
            for number, table in enumerate(tables)
        ]
        _fill(backend, uploads)
        _compare(backend, uploads, contents)
        _replace(backend, uploads, existing)
        done = True
    finally:
        if not done:
            backend.discard()


def _existing(backend: SnowflakeBackend, names: Sequence[str], *, overwrite: bool) -> set[str]:
    """Return which tables exist; refuse those that must not be replaced."""
    found = backend.catalog.tables(backend.namespace)
    existing = [name for name in names if name.upper() in found]
    if existing and not overwrite:
        raise UsageError(
            f"{backend.namespace} has {', '.join(existing)} already",
            hint="pass --overwrite to replace them",
        )
    marts = {row.name for row in backend.state() if row.kind in ("table", "view")}
    problems = [f"{name} is reserved for marts' own table" for name in names if is_reserved(name)]
    problems += [
        f"{name} {reason}"
        for name in existing
        if (reason := _irreplaceable(backend, name, found[name.upper()], is_mart=name in marts))
    ]
    if problems:
        raise UsageError(
            f"not all of these may be replaced in {backend.namespace}; nothing was uploaded",
            *problems,
            hint="rename the file, or use another --source-schema",
        )
    return set(existing)


def _irreplaceable(
    backend: SnowflakeBackend, name: str, table: Mapping[str, Any], *, is_mart: bool
) -> str | None:
    """Return why a table that exists must not be replaced."""
    if is_mart:
        return "is a mart"
    if table["TABLE_TYPE"] == "VIEW":
        return "is a view"
    if reason := unreplaceable(table, "table"):
        return reason.partition(" ")[2]
    governed = governance(backend.namespace, name.upper(), "table", backend.records)
    if governed.policies or governed.tags:
        return "has policies or tags, which would be lost"
    return None


def _upload_of(table: LoadTable, number: int, stage: str, relation: str) -> Upload:
    return Upload(
        table,
        relation,
        ddl.stage_folder(stage, _plain(number, table.name)),
        tuple(
            f"{_plain(each, Path(file.shown).stem)}.parquet"
            for each, file in enumerate(table.files)
        ),
    )


def _plain(number: int, text: str) -> str:
    """Return a unique name without any character that a path or a pattern gives a meaning."""
    return f"{number}_{re.sub(r'[^A-Za-z0-9]+', '_', text)}"


def _fill(backend: SnowflakeBackend, uploads: Sequence[Upload]) -> None:
    """Upload all files, and copy their rows into temporary tables."""
    problems = []
    for upload in uploads:
        name = upload.table.name
        _upload(backend, upload)
        types = loaded_as(upload.table.schema)
        sql = ddl.create_temporary_table(upload.relation, types)
        backend.execute(sql, about=name, step="load")
        problems += [f"{name}: {problem}" for problem in _copy(backend, upload)]
    if changes := [line for each in uploads for line in changed(f.file for f in each.table.files)]:
        raise SourceError("files changed while they were loaded; nothing was replaced", *changes)
    _refuse(problems)


def _upload(backend: SnowflakeBackend, upload: Upload) -> None:
    # PUT expands patterns in a path, and its rules for quotes in one are not documented. So it is
    # given links with plain names.
    with tempfile.TemporaryDirectory(prefix="marts_load_") as folder:
        for name, file in zip(upload.names, upload.table.files, strict=True):
            link = Path(folder, name)
            _link(link, Path(file.file.path))
            sql = ddl.put(link, upload.stage_path)
            backend.execute(sql, about=upload.table.name, step="load")


def _link(link: Path, file: Path) -> None:
    try:
        link.symlink_to(file)
    except OSError:
        # Windows asks for a privilege.
        copyfile(file, link)


def _copy(backend: SnowflakeBackend, upload: Upload) -> Iterator[str]:
    """Copy a table's rows from its stage; yield a line for each file that did not arrive whole."""
    sql = ddl.copy_into(upload.relation, upload.stage_path)
    rows = backend.execute(sql, about=upload.table.name, step="load").records()
    by_name = {str(row.get("file")).rpartition("/")[2]: row for row in rows}
    for name, file in zip(upload.names, upload.table.files, strict=True):
        found = by_name.get(name, {})
        if found.get("rows_loaded", 0) != file.rows:
            status = found.get("status", "not mentioned")
            loaded = f"Snowflake reports {found.get('rows_loaded', 0):,} loaded, status {status}"
            yield f"{file.shown} has {file.rows:,} rows; {loaded}"


def _compare(
    backend: SnowflakeBackend,
    uploads: Sequence[Upload],
    contents: Mapping[str, Mapping[str, Content]],
) -> None:
    """Compare the temporary tables with the files: counts of rows and values, and bounds."""
    problems = []
    for upload in uploads:
        table, expected = upload.table, contents[upload.table.name]
        bounded = {name: content.least is not None for name, content in expected.items()}
        sql = ddl.column_contents(upload.relation, bounded)
        ((rows, *found),) = backend.execute(sql, about=table.name, step="check").fetchall()
        if rows != table.rows:
            problems.append(f"{table.name} has {table.rows:,} rows in its files, {rows:,} loaded")
        for name, content in expected.items():
            count = found.pop(0)
            bounds = (found.pop(0), found.pop(0)) if bounded[name] else ()
            if count != content.values:
                words = f"{content.values:,} values in the files, {count:,} loaded"
                problems.append(f"{table.name}: column {name} has {words}")
            elif bounds and not all(map(_same, bounds, (content.least, content.greatest))):
                problems.append(f"{table.name}: column {name} has other values than its files")
    _refuse(problems)


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise EngineError(
            "Snowflake has not loaded what the files say; nothing was replaced", *problems
        )


def _same(found: Any, expected: Any) -> bool:
    if not isinstance(found, datetime.datetime):
        return bool(found == expected)
    if found.tzinfo:
        found = found.astimezone(datetime.UTC).replace(tzinfo=None)
    return bool(abs(found - expected) <= RESOLUTION)


def _replace(backend: SnowflakeBackend, uploads: Sequence[Upload], existing: set[str]) -> None:
    """Create or replace the tables by clones, one after the other.

    An interrupt waits for the clone that is being made.
    """
    names = [each.table.name for each in uploads]
    for number, upload in enumerate(uploads):
        name = names[number]
        make = ddl.replace_by_clone if name in existing else ddl.clone
        sql = make(backend.schema.qualified(name), upload.relation)
        try:
            backend.execute(sql, about=name, step="publish", uninterruptible=True)
        except EngineError as error:
            is_lost = isinstance(error, LostAnswerError)
            if number or is_lost:
                raise _midway(names, number, str(error), in_doubt=is_lost) from error
            raise
        done = number + 1
        if backend.sessions.take_interrupt() and done < len(names):
            raise _midway(names, done, "interrupted", in_doubt=False)


def _midway(names: Sequence[str], done: int, cause: str, *, in_doubt: bool) -> EngineError:
    """Return an error that says which tables are new; whether the next one is may be in doubt."""
    new, doubtful, old = names[:done], names[done : done + in_doubt], names[done + in_doubt :]
    return EngineError(
        "loading failed midway",
        f"new: {', '.join(new) or 'none'}",
        *([f"new or as before: {', '.join(doubtful)}"] if doubtful else []),
        f"as before: {', '.join(old) or 'none'}",
        f"cause: {cause}",
        hint="run again with --overwrite: it loads all of them",
    )
