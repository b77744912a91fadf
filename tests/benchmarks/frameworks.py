"""What people use instead: dbt and SQLMesh, each in an environment of its own beside the load."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

import duckdb

from benchmarks import sqlmesh_project
from benchmarks.rivals import AGAIN, DBT, NO_SOURCES, RUN, SQLMESH, UNCHECKED, Load, base_of
from benchmarks.run_sql import SOURCES, query_of

TITLES = ("dbt-core", "SQLMesh")
PINS = {
    "dbt": ("dbt-core==1.12.6", "dbt-duckdb==1.11.1"),
    "sqlmesh": ("sqlmesh==0.236.4",),
}
NAMES = (
    "marts",
    *(
        f"{name} {pins[0].partition('==')[2]}"
        for name, pins in zip(TITLES, PINS.values(), strict=True)
    ),
)
WHOLE = (RUN, DBT, SQLMESH)
FEWER = (UNCHECKED, DBT + NO_SOURCES, SQLMESH + NO_SOURCES)
# It is built by a download from elsewhere; dbt uses it only with --use-v2-parser.
LEFT_OUT = "dbt-core-experimental-parser; python_version < '3'\n"


def prepare(load: Load) -> None:
    """Install both with our DuckDB, give the sources their names, write SQLMesh's projects."""
    for tool in PINS:
        _install(_environment(load, tool), tool)
    sources = _sources(load)
    sources.unlink(missing_ok=True)
    with duckdb.connect(str(sources)) as connection:
        for name in SOURCES:
            connection.execute(f"CREATE VIEW {name} AS {query_of(name, load.fixtures)}")
    for rival in (SQLMESH, SQLMESH + NO_SOURCES):
        sqlmesh_project.write_project(
            load.folder_of(rival),
            database=load.database(rival),
            sources=sources,
            as_of=date.fromisoformat(_as_of(load)),
            sources_checked=rival == SQLMESH,
        )


def command_of(rival: str, load: Load) -> Sequence[object]:
    """Return the command by which dbt or SQLMesh builds its database."""
    if rival.startswith(SQLMESH):
        program = _environment(load, "sqlmesh") / "bin" / "sqlmesh"
        folder = load.folder_of(base_of(rival))
        logs = ("--log-file-dir", folder / "logs")
        return (program, "-p", folder, *logs, "plan", "--auto-apply", "--no-prompts")
    given = {
        "as_of": _as_of(load),
        "database": str(load.database(rival)),
        "sources": str(_sources(load)),
    }
    results, project = load.folder_of(rival), sqlmesh_project.DBT
    return (
        *(_environment(load, "dbt") / "bin" / "dbt", "build", "--vars", json.dumps(given)),
        *("--project-dir", project, "--profiles-dir", project),
        *("--target-path", results, "--log-path", results),
        *(("--exclude", "source:*") if rival.endswith(NO_SOURCES) else ()),
        *(
            ("--select", "state:modified+", "--state", load.folder_of(base_of(rival)))
            if rival.endswith(AGAIN)
            else ()
        ),
    )


def checks_made(rival: str, load: Load) -> int:
    """Return how many tests dbt ran, or how many of them SQLMesh was given as audits."""
    if rival.endswith(AGAIN):
        return 0
    if rival.startswith(SQLMESH):
        kinds = ("models",) if rival.endswith(NO_SOURCES) else ("models", "sources")
        return sum(map(sqlmesh_project.number_of_checks, kinds))
    results = json.loads((load.folder_of(rival) / "run_results.json").read_text("utf-8"))
    return sum(result["unique_id"].startswith("test.") for result in results["results"])


def _environment(load: Load, tool: str) -> Path:
    return load.folder / "environments" / tool


def _install(environment: Path, tool: str) -> None:
    # The project's own constraints are not theirs.
    uv = ("uv", "--quiet", "--no-config")
    overrides = environment.with_suffix(".txt")
    if not environment.exists():
        subprocess.run([*uv, "venv", "--python", sys.executable, environment], check=True)
    overrides.write_text(LEFT_OUT, "utf-8")
    wanted = (*PINS[tool], f"duckdb=={version('duckdb')}")
    into = ("--python", environment / "bin" / "python", "--overrides", overrides)
    subprocess.run([*uv, "pip", "install", "--compile-bytecode", *into, *wanted], check=True)


def _sources(load: Load) -> Path:
    return load.folder / f"sources_{load.customers}_{load.transactions}.duckdb"


def _as_of(load: Load) -> str:
    described = json.loads((load.fixtures / "dataset.json").read_text("utf-8"))
    return str(described["as_of"])
