"""What a new project is written from: data that are there, a dbt project, or the example."""

from __future__ import annotations

import contextlib
import datetime
import json
import keyword
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.machinery import PathFinder
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from backends.duckdb_locations import is_database
from backends.factory import profiler
from marts.core import DISTRIBUTION
from marts.core.errors import UsageError
from marts.core.operations import wiring
from marts.core.project.packages import BUNDLED
from marts.core.project.settings import SNOWFLAKE, Settings
from marts.core.run.profiling import Profiler
from marts.core.scaffold.dbt_project import DbtProject, dbt_project, spelled_location
from marts.core.scaffold.declarations import NewSource, declared
from marts.core.scaffold.example import example_files
from marts.core.scaffold.measuring import measure
from marts.core.scaffold.naming import contract_name
from marts.core.scaffold.project_files import EXAMPLE, NewProject
from marts.core.scaffold.starter import starter_of

PACKAGE = re.compile("[a-z][a-z0-9_]*")
PART = r'("(?:[^"]|"")+"|[^".]+)'
SCHEMA = re.compile(rf"{PART}[.]{PART}")
DBT = "dbt:"
ON_SNOWFLAKE = "snowflake:"

ASKED = (
    "asked {where} {number} queries: one for each table, and one for each possible key, reference"
    " and column of labels; all are aggregates, but for the labels"
)

Doing = Callable[[str], None]
"""Is told what is being done."""


@dataclass(frozen=True)
class Origin:
    """Where a new project is written, and what from."""

    directory: Path
    package: str
    account: Settings
    doing: Doing


def package_of(directory: Path, name: str | None) -> str:
    """Return the name of a new project's package, by default from its folder.

    Raises UsageError for a name that cannot be imported, or that another module has.
    """
    if name is None:
        folder = contract_name(directory.resolve().name, otherwise="my")
        name = folder if folder.endswith(f"_{BUNDLED}") else f"{folder}_{BUNDLED}"
    if not PACKAGE.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"--name {name} is not a name for a package",
            hint="use lower-case letters, digits and _, beginning with a letter: shop_marts",
        )
    owners = {
        "Python has a module": name in sys.stdlib_module_names,
        "marts itself has a package": name == BUNDLED,
        "the folder of the project's tests": name == "tests",
        "an installed package has a module": _is_installed(name),
    }
    for owner, is_it in owners.items():
        if is_it:
            why = f"{owner} of this name" if name != "tests" else f"it is {owner}"
            raise UsageError(f"--name {name}: {why}", hint=f"name it {name}_marts, for example")
    return name


def _is_installed(name: str) -> bool:
    here = {os.path.realpath(path) for path in ("", ".")}
    path = [each for each in sys.path if os.path.realpath(each) not in here]
    found = PathFinder.find_spec(name, path)
    return found is not None and found.origin is not None


def new_project(
    directory: Path, package: str, origin: str | None, account: Settings, *, doing: Doing
) -> NewProject:
    """Return the project to write, from what is there or from the example.

    Raises UsageError if there is no such origin, or nothing in it.
    """
    where = Origin(directory, package, account, doing)
    if origin is None:
        return _from_example(where)
    for prefix, read in ((ON_SNOWFLAKE, _from_snowflake), (DBT, _from_dbt)):
        if origin.startswith(prefix):
            return read(where, origin.removeprefix(prefix))
    return _from_files(where, Path(origin))


def _from_example(origin: Origin) -> NewProject:
    data = example_files()
    with tempfile.TemporaryDirectory() as made:
        for name, text in data.items():
            Path(made, name).write_text(text, encoding="utf-8")
        sources = _measured(profiling(Path(made)), origin, where=EXAMPLE)
    return NewProject(
        package=origin.package,
        sources=sources,
        starter=starter_of(sources),
        about=_measured_in(f"the example in {EXAMPLE}/"),
        data=EXAMPLE,
        has_data=True,
        is_in_project=True,
        data_note=f"`{EXAMPLE}/` has a made-up shop of {len(sources)} tables. Put your own files"
        " there, or start again with `marts init --from PATH`.",
        marts_from=installed_from(),
        extra={f"{EXAMPLE}/{name}": text for name, text in data.items()},
    )


def _from_files(origin: Origin, path: Path) -> NewProject:
    if not path.exists():
        raise UsageError(
            f"there is no file or folder {path}",
            hint="name a folder of Parquet or CSV files, a DuckDB file, snowflake:DB.SCHEMA, or"
            " dbt:DIR",
        )
    unread = _databases_in(path)
    opened = profiling(path)
    sources = _measured(opened, origin, where=path.resolve().name, unread=unread)
    data, is_inside = _path_from(origin.directory, path)
    sources = tuple(
        replace(each, location=each.location and f"{data}:{each.location}") for each in sources
    )
    absent = "" if is_inside else " CI does not have them, and skips the test that needs them."
    return NewProject(
        package=origin.package,
        sources=sources,
        starter=starter_of(sources),
        about=_measured_in(data),
        data=data,
        has_data=True,
        is_in_project=is_inside,
        data_note=f"The sources are in `{data}`, which `data` in `pyproject.toml` names.{absent}",
        marts_from=installed_from(),
        told=unread,
    )


def _databases_in(folder: Path) -> tuple[str, ...]:
    """Return a line on each DuckDB file in a folder, none of which is read with the folder."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return tuple(
        f"not read: {file}, a DuckDB file; its tables are declared by marts init --from {file}"
        for file in files
        if is_database(file)
    )


def _measured_in(where: str) -> str:
    today = datetime.datetime.now(datetime.UTC).date()
    return (
        f"Measured on {today} in {where}. Everything declared here held for all rows then; the"
        " comments have the figures, and nothing updates them. From now on the declarations are"
        " yours: say what the tables are, relax what may change, and remove columns that no mart"
        " reads."
    )


@contextlib.contextmanager
def profiling(data: Path | None, settings: Settings | None = None) -> Iterator[Profiler]:
    """Open who measures a folder, a DuckDB file, or the sources on Snowflake."""
    engine = profiler(settings or Settings(), data=data, version=wiring.version_of_marts())
    try:
        yield engine
    finally:
        engine.close()


def _measured(
    opened: contextlib.AbstractContextManager[Profiler],
    origin: Origin,
    *,
    where: str,
    asked: list[str] | None = None,
    unread: Sequence[str] = (),
) -> tuple[NewSource, ...]:
    """Return the declarations of what is measured; add to `asked` a line on what that took."""
    with opened as engine:
        found = declared(measure(engine, doing=origin.doing), where=where)
        if not found:
            raise UsageError(
                f"there are no tables in {engine.where}",
                *unread,
                hint="name a folder of Parquet or CSV files, a DuckDB file, snowflake:DB.SCHEMA,"
                " or dbt:DIR",
            )
        if asked is not None:
            asked.append(ASKED.format(number=engine.queries, where=engine.where))
        return found


def _path_from(directory: Path, path: Path) -> tuple[str, bool]:
    """Return a path as the settings have it, and whether it is in the project's folder.

    It is relative to the project's folder if it is in it or beside it.
    """
    relative = Path(os.path.relpath(path.resolve(), directory.resolve()))
    ups = [part for part in relative.parts if part == ".."]
    if len(ups) > 1:
        return path.resolve().as_posix(), False
    return relative.as_posix(), not ups


def installed_from() -> str:
    """Return what pip can install marts from: the git reference of this one, else a wheel."""
    found = json.loads(distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    if commit := found.get("vcs_info", {}).get("commit_id"):
        return f"git+{found['url']}@{commit}"
    return f"wheels/{DISTRIBUTION}-{wiring.version_of_marts()}-py3-none-any.whl"


# Snowflake


def _from_snowflake(origin: Origin, schema: str) -> NewProject:
    parts = SCHEMA.fullmatch(schema)
    if parts is None:
        raise UsageError(
            f"--from {ON_SNOWFLAKE}{schema} does not name a schema",
            hint=f'write {ON_SNOWFLAKE}DB.SCHEMA, with quotes as in "my db".RAW if need be',
        )
    settings = replace(
        origin.account,
        backend=SNOWFLAKE,
        source_database=parts[1],
        source_schema=parts[2],
        database=parts[1],
    )
    asked: list[str] = []
    sources = _measured(profiling(None, settings), origin, where=schema, asked=asked)
    return NewProject(
        package=origin.package,
        sources=sources,
        starter=starter_of(sources),
        about=_measured_in(f"{schema} on Snowflake"),
        data=EXAMPLE,
        has_data=False,
        is_in_project=True,
        data_note=UNLOADED.format(where=schema, table=sources[0].name, data=EXAMPLE),
        marts_from=installed_from(),
        production={
            **_production(origin.account),
            "source_database": parts[1],
            "source_schema": parts[2],
        },
        told=tuple(asked),
    )


UNLOADED = """\
The sources are in `{where}` on Snowflake. To run locally, put some of their rows into `{data}/`, a
Parquet file or a folder for each source. For example, with SnowSQL:

```sql
COPY INTO @~/marts/{table}/ FROM (SELECT * FROM {where}.{table})
  FILE_FORMAT = (TYPE = PARQUET) HEADER = TRUE;
GET @~/marts/{table}/ file://{data}/{table}/;
```

Snowflake does not unload timestamps with a zone to Parquet: list the columns, and cast those. What
is declared holds for all rows; a part of them may lack rows to which others refer."""


def _production(account: Settings) -> Mapping[str, str]:
    """Return the settings of the environment in which marts are built on Snowflake."""
    given = {
        "connection": account.connection,
        "warehouse": account.warehouse,
        "role": account.role,
    }
    named = {key: value for key, value in given.items() if value is not None}
    return {"backend": SNOWFLAKE, **named, "schema": "GOLD"}


# dbt


def _from_dbt(origin: Origin, directory: str) -> NewProject:
    folder = Path(directory)
    target = folder / "target"
    manifest, catalog = (_document(target / f"{name}.json") for name in ("manifest", "catalog"))
    origin.doing(f"reading {target}")
    found = dbt_project(manifest, catalog)
    if not found.sources:
        raise UsageError(
            f"the dbt project in {folder} has no table that a mart could read",
            *found.skipped,
            hint=f"build it, then run `dbt docs generate` in {folder}",
        )
    sources = found.sources
    local = _local_locations(origin.directory, folder, found)
    sources = tuple(replace(each, location=local.get(each.name, "")) for each in sources)
    is_on_snowflake = found.adapter == SNOWFLAKE
    places = {
        name: spelled_location(parts, found.adapter) for name, parts in found.locations.items()
    }
    return NewProject(
        package=origin.package,
        sources=sources,
        starter=starter_of(sources),
        about=f"As the dbt project {found.name} declares them in its manifest and catalog; nothing"
        " was measured. `marts test --sources` measures it.",
        data=EXAMPLE,
        has_data=bool(local),
        is_in_project=False,
        data_note=_dbt_note(found, places, has_data=bool(local)),
        marts_from=installed_from(),
        production=_production(origin.account) if is_on_snowflake else {},
        production_sources=places if is_on_snowflake else {},
        told=tuple(f"skipped {line}" for line in found.skipped),
    )


def _document(file: Path) -> Mapping[str, Any]:
    """Return one of dbt's artifacts. Raises UsageError if it is not there, or not JSON."""
    hint = f"run `dbt docs generate` in {file.parent.parent}, which writes it"
    try:
        found = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {file}", error.strerror or str(error), hint=hint) from error
    except ValueError as error:
        raise UsageError(f"{file} is not JSON", str(error), hint=hint) from error
    if not isinstance(found, dict) or not isinstance(found.get("nodes"), dict):
        raise UsageError(f"{file} is not one of dbt's artifacts", hint=hint)
    return found


def _local_locations(directory: Path, folder: Path, found: DbtProject) -> dict[str, str]:
    """Return where the tables are if dbt has built them in a DuckDB file of its project."""
    if found.adapter != "duckdb":
        return {}
    local = {}
    for name, (database, schema, table) in found.locations.items():
        file = folder / f"{database}.duckdb"
        if file.is_file():
            path, _ = _path_from(directory, file)
            local[name] = f"{path}:{spelled_location((schema, table), found.adapter)}"
    return local


def _dbt_note(found: DbtProject, places: Mapping[str, str], *, has_data: bool) -> str:
    if has_data:
        return "dbt's DuckDB file has the sources: `[tool.marts.sources]` in `pyproject.toml`."
    listed = "\n".join(f"| `{name}` | `{place}` |" for name, place in sorted(places.items()))
    return (
        f"dbt ({found.adapter}) builds the sources. To run locally, export them as Parquet to"
        f" `{EXAMPLE}/`, a file or a folder for each source:\n\n"
        f"| source | is |\n|---|---|\n{listed}"
    )
