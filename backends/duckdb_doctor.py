"""Looks at what a run on DuckDB needs: data, the database file, disk, memory, a target folder."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from backends.data_files import LAYOUT, DataFile, data_as_of, files_of, find_source, source_names
from backends.duckdb import DuckDBBackend
from backends.duckdb_candidates import SUFFIX
from backends.duckdb_connection import DuckDBOptions, connect
from backends.duckdb_ddl import DIALECT
from backends.duckdb_locations import Files, Locations, Relation, is_database
from backends.duckdb_sources import Source
from backends.duckdb_tables import states_of
from backends.installation import Installation, versions_found
from marts.core.errors import MartsError, SourceError, UsageError, did_you_mean
from marts.core.plan.state import TableState
from marts.core.run import diagnosis
from marts.core.run.backend import Contract
from marts.core.run.diagnosis import Diagnosis, Experiment, Finding, ok, skip, verdict_of

IN_MEMORY = Path(":memory:")
TIMES = 3
"""The room that candidates and what they replace may take, in sizes of the data."""
NAME_IT = "pass --package NAME, or call it in the folder of a project"
UNITS = ("bytes", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class Desk:
    """What is looked at; `contracts` is None if no package is named."""

    options: DuckDBOptions
    target: Path
    contracts: Mapping[str, Contract] | None
    installed: Installation

    @property
    def database(self) -> Path:
        """The database file."""
        return self.options.database

    @cached_property
    def is_in_file(self) -> bool:
        """Whether there is to be a database file."""
        return str(self.database) != str(IN_MEMORY)

    @property
    def locations(self) -> Locations:
        """Where the sources are."""
        return Locations(self.options.data, self.options.sources, self.options.folder)

    @property
    def directory(self) -> Path | None:
        """The directory of the data, None if the data are not in one."""
        data = self.options.data
        return None if data is None or is_database(data) else data

    def in_memory(self) -> DuckDBBackend:
        """Open the sources, with an empty database."""
        options = replace(self.options, database=IN_MEMORY)
        return DuckDBBackend(options, sources=self.contracts or {}, read_only=True)


class DuckDBDoctor:
    """Looks at the data and the database of a project; writes nothing that stays."""

    def __init__(
        self,
        options: DuckDBOptions,
        *,
        target: Path,
        contracts: Mapping[str, Contract] | None,
        installed: Installation,
    ) -> None:
        self.desk = Desk(options, target, contracts, installed)
        places = self.desk.locations
        self.where = f"duckdb · {places} → {options.database}, schema {options.schema}"

    @property
    def experiments(self) -> Sequence[Experiment[Desk]]:
        """The experiments, in order."""
        return EXPERIMENTS

    def examine(self, experiment: Experiment[Desk]) -> Diagnosis:
        """Make one experiment."""
        return diagnosis.examine(experiment, self.desk)

    def close(self) -> Sequence[str]:
        """Return nothing: there is nothing to remove."""
        return ()


def versions(desk: Desk) -> Finding:
    """Compare what is installed with what marts asks for."""
    return versions_found(desk.installed)


def resources(desk: Desk) -> Finding:
    """Open DuckDB with the options, and read what they have become."""
    try:
        connection = connect(replace(desk.options, database=IN_MEMORY), read_only=True)
    except UsageError as error:
        remedy = "pass another --memory-limit, such as 4GB, or other --threads"
        return Finding("FAIL", (error.summary, *error.facts), remedy)
    ((memory, threads),) = connection.execute(
        "SELECT current_setting('memory_limit'), current_setting('threads')"
    ).fetchall()
    connection.close()
    return ok(f"memory limit {memory}, {threads} threads")


def data(desk: Desk) -> Finding:
    """List the directory of the data, and read its date."""
    folder = desk.directory
    if desk.options.data is None and not desk.options.sources and desk.contracts is None:
        return skip("no package and no data are named", remedy=f"{NAME_IT}, or pass --data DIR")
    if folder is None:
        return ok(f"the sources are in {desk.locations}")
    names, day = _tables(folder), data_as_of(folder)
    dated = f"as of {day}" if day else "its date is not stated"
    return verdict_of(
        [] if names else [f"{folder} has no table"],
        f"{folder}: {len(names)} tables, {dated}",
        bad="FAIL",
        remedy=f"pass --data DIR with {LAYOUT} for each source",
    )


def _tables(folder: Path) -> list[str]:
    """Return the names of files and folders that are tables, and of those that cannot be told."""

    def is_table(name: str) -> bool:
        try:
            return find_source(folder, name) is not None
        except SourceError:
            return True

    return [name for name in source_names(folder) if is_table(name)]


def sources(desk: Desk) -> Finding:
    """Find each source, and read the footers of its files, as a run does."""
    if desk.contracts is None:
        return skip(
            "no package is named, so that its sources were not looked at",
            remedy=NAME_IT,
        )
    backend = desk.in_memory()
    problems, read, remedies = list[str](), list[str](), list[str]()
    try:
        for name, contract in desk.contracts.items():
            try:
                state = backend.describe_sources([name]).get(name)
                found = backend.sources.found(name)
            except MartsError as error:
                problems.append(" ".join([f"{name}: {error.summary};", *error.facts]))
                remedies.append(error.hint or "")
                continue
            read.append(f"{name} {_found(state, found)}")
            if state and state.misfits:
                problems += [f"{name}: {line}" for line in state.misfits]
                remedies.append(f"correct the data of {name}, or its declaration")
            elif state is None and not contract.optional:
                problems.append(f"{name} is not there")
                remedies.append(_place(desk, contract.source_name or name))
    finally:
        backend.close()
    return verdict_of(problems, *read, bad="FAIL", remedy="; ".join(dict.fromkeys(remedies)))


def _found(state: TableState | None, source: Source | None) -> str:
    if state is None or source is None:
        return "is optional, and absent"
    rows = "" if state.rows is None else f", {state.rows:,} rows"
    if source.is_table:
        return f"is {source.shown.sql(DIALECT)}{rows}"
    files = len(source.files)
    kind = "CSV file" if source.files[0].is_csv else "file"
    return f"{files} {kind if files == 1 else f'{kind}s'}{rows}"


def _place(desk: Desk, name: str) -> str:
    if desk.directory is None:
        return f"create table {name} there, or write into [tool.marts.sources] where it is"
    near = did_you_mean(name, _tables(desk.directory))
    return f"put {name}.parquet into {desk.directory}" + (f"; {near}" if near else "")


def others(desk: Desk) -> Finding:
    """Look for files whose names are nearly those of sources that are absent."""
    if desk.contracts is None:
        return skip("no package is named", remedy=NAME_IT)
    if desk.directory is None:
        return skip("the data are not in a directory")
    located = desk.options.sources
    names = {n: c.source_name or n for n, c in desk.contracts.items() if n not in located}
    there, known = _tables(desk.directory), {name.lower() for name in names.values()}
    absent = [name for name in names.values() if name.lower() not in there]
    strangers = [name for name in there if name not in known]
    near = {name: hint for name in strangers if (hint := did_you_mean(name, absent))}
    problems = [f"{name} is the name of no source; {hint}" for name, hint in near.items()]
    evidence = (
        f"these are not sources: {', '.join(strangers)}"
        if strangers
        else f"all {len(there)} tables are sources"
    )
    return verdict_of(problems, evidence, bad="warn", remedy="rename the file or folder")


def database(desk: Desk) -> Finding:
    """Open the database file, if there is one, as a run does."""
    file = desk.database
    if not desk.is_in_file:
        return ok("it is in memory")
    if not file.exists():
        problem = _not_writable(file.parent)
        remedy = "pass a --database in a folder that you can write to"
        return verdict_of(
            [problem] if problem else [],
            f"{file} does not exist; a run creates it",
            bad="FAIL",
            remedy=remedy,
        )
    if not os.access(file, os.W_OK):
        return Finding("FAIL", (f"{file} cannot be written",), f"chmod u+w {file}")
    wal = Path(f"{file}.wal").exists()
    connection = connect(desk.options, read_only=False)
    ((version,),) = connection.execute(
        "SELECT tags['storage_version'] FROM duckdb_databases()"
        " WHERE database_name = current_database()"
    ).fetchall()
    connection.close()
    log = ["a process that wrote it was killed; what it had committed is kept"] if wal else []
    return ok(f"{file}: {_size(file.stat().st_size)}, storage version {version}", *log)


def left_over(desk: Desk) -> Finding:
    """Look for candidates of runs that were killed."""
    if not desk.is_in_file:
        return ok("the database is in memory")
    pattern = f".{glob.escape(desk.database.name)}.*{SUFFIX}*"
    left = sorted(desk.database.parent.glob(pattern))
    problems = [f"{each}: {_size(each.stat().st_size)}" for each in left]
    remedy = "none: the next run removes them; if one is at work, they are its own"
    return verdict_of(problems, "none", bad="warn", remedy=remedy)


def disk(desk: Desk) -> Finding:
    """Compare the free space beside the database with the size of the data."""
    if not desk.is_in_file:
        return ok("the database is in memory")
    folder = _existing(desk.database.parent)
    free, size = shutil.disk_usage(folder).free, sum(_sizes(desk))
    if desk.contracts is None:
        known = f"{_size(free)} are free beside the database"
        return skip(f"{known}; no package is named, so that its data were not measured")
    evidence = f"{_size(free)} are free beside the database; the data has {_size(size)}"
    remedy = f"free {_size(max(TIMES * size - free, 0))}, or pass --database on another disk"
    if free < size:
        return Finding("FAIL", (evidence,), remedy)
    return verdict_of(
        [evidence] if free < TIMES * size else [], evidence, bad="warn", remedy=remedy
    )


def _sizes(desk: Desk) -> Iterator[int]:
    files: set[DataFile] = set()
    for name, contract in (desk.contracts or {}).items():
        try:
            match desk.locations.find(name, contract):
                case Files(path):
                    files |= {*files_of(path)}
                case Relation(file):
                    files |= {*states_of(file)}
        except MartsError:
            # That is another experiment's finding.
            continue
    return (file.size for file in files)


def target(desk: Desk) -> Finding:
    """Write into the target folder, or beside it."""
    problem = _not_writable(desk.target)
    is_file = desk.target.exists() and not desk.target.is_dir()
    problems = [f"{desk.target} is not a folder"] if is_file else [problem] if problem else []
    evidence = f"{desk.target} can be written"
    return verdict_of(problems, evidence, bad="FAIL", remedy="make it writable, or pass --target")


def _existing(folder: Path) -> Path:
    """Return the nearest folder above, or this one, that exists."""
    return next(each for each in (folder.absolute(), *folder.absolute().parents) if each.is_dir())


def _not_writable(folder: Path) -> str | None:
    """Return why a folder, or the one to create it in, cannot be written; None if it can."""
    there = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=there):
            return None
    except OSError as error:
        return f"{there} cannot be written: {error.strerror or error}"


def _size(count: int) -> str:
    amount, unit = float(count), 0
    while amount >= 1000 and unit < len(UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.1f} {UNITS[unit]}" if unit else f"{count} bytes"


EXPERIMENTS: tuple[Experiment[Desk], ...] = (
    Experiment("versions", "what is installed is what marts asks for", versions),
    Experiment("resources", "DuckDB accepts the options", resources),
    Experiment("data", "the data's directory can be read", data),
    Experiment("sources", "a run can read each source", sources),
    Experiment(
        "other_files", "no file has almost the name of an absent source", others, refused="skip"
    ),
    Experiment("database", "a run can write the database", database),
    Experiment("left_over", "no killed run left candidates", left_over),
    Experiment("disk", "there is room for a run", disk),
    Experiment("target", "a run can write its report", target),
)
"""The experiments, in order."""
