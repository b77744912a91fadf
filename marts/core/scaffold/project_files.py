"""The files of a new project besides its sources and its mart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from marts.core.project.settings import FILE
from marts.core.scaffold.declarations import NewSource
from marts.core.scaffold.sources_file import sources_file
from marts.core.scaffold.starter import Starter, mart_file

EXAMPLE = "data"
"""The folder of the example's data, and of data that are still to come."""
DATABASE = ".duckdb:"
"""How the file ends in the location of a table that is not in the project's own data."""


@dataclass(frozen=True, kw_only=True)
class NewProject:
    """A project to write.

    `about` says where its sources' declarations come from. `data` is what the settings say of where
    the data are, and `data_note` what a reader has to know of it; `has_data` says whether they are
    there. `marts_from` is what pip installs marts from. `production` has the settings of the
    environment `prod`, without its sources. `told` has lines for whoever called for it.
    """

    package: str
    sources: tuple[NewSource, ...]
    starter: Starter
    about: str
    data: str
    has_data: bool
    is_in_project: bool
    data_note: str
    marts_from: str
    extra: Mapping[str, str] = field(default_factory=dict)
    production: Mapping[str, str] = field(default_factory=dict)
    production_sources: Mapping[str, str] = field(default_factory=dict)
    told: tuple[str, ...] = ()

    @property
    def always_has_data(self) -> bool:
        """Whether the data are wherever the project is, in CI as well."""
        return self.has_data and self.is_in_project

    def place_of(self, source: NewSource) -> str:
        """Return the file or folder of a source, without the table in it."""
        if not source.location or source.location.startswith(f"{self.data}:"):
            return self.data
        file, suffix, _ = source.location.partition(DATABASE)
        return file + suffix.rstrip(":")


def files_of(project: NewProject) -> dict[str, str]:
    """Return the text of each file of a project, by its path in the project's folder."""
    package = project.package
    return {
        FILE: settings_of(project) + TOOLS,
        f"{package}/__init__.py": f'"""The marts of {package}."""\n',
        f"{package}/sources.py": sources_file(project.sources, about=project.about),
        f"{package}/{project.starter.name}.py": mart_file(project.starter),
        f"tests/test_{package}.py": _test(project),
        ".github/workflows/ci.yml": _workflow(project),
        ".gitignore": IGNORED,
        "README.md": _readme(project),
        **project.extra,
    }


IGNORED = """\
.venv/
__pycache__/
.mypy_cache/
.pytest_cache/
.ruff_cache/
# What `marts run` writes.
target/
"""


TOOLS = """
[tool.ruff]
line-length = 100

[tool.mypy]
strict = true

[[tool.mypy.overrides]]
# It publishes no types.
module = ["ibis.*"]
ignore_missing_imports = true

[tool.pytest.ini_options]
testpaths = ["tests"]
"""


def _table(name: str, values: Mapping[str, str]) -> list[str]:
    """Return a table of TOML, nothing without values."""
    if not values:
        return []
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return ["", f"[{name}]", *lines]


def settings_of(project: NewProject) -> str:
    """Return the project's settings as TOML: the tables of `[tool.marts]`."""
    local = {source.name: source.location for source in project.sources if source.location}
    is_there = "" if project.has_data else "  # not there yet: README.md says how to fill it"
    lines = [
        "[tool.marts]",
        f"package = {json.dumps(project.package)}",
        f"data = {json.dumps(project.data, ensure_ascii=False)}{is_there}",
        *_table("tool.marts.sources", local),
        *_table("tool.marts.environments.prod", project.production),
        *_table("tool.marts.environments.prod.sources", project.production_sources),
    ]
    return "\n".join(lines) + "\n"


def _test(project: NewProject) -> str:
    skip = (
        []
        if project.always_has_data
        else [
            "@pytest.mark.skipif(bool(MISSING), reason=f\"there are no {' and '.join(MISSING)}\")"
        ]
    )
    data = [] if project.always_has_data else _data_of_test(project)
    pytest = [] if project.always_has_data else ["import pytest"]
    lines = [
        '"""The project as its users run it: the marts compile, build, and pass their checks."""',
        "",
        "from pathlib import Path",
        "",
        *pytest,
        "from marts import Project",
        "",
        "PROJECT = Path(__file__).parents[1]",
        *data,
        "",
        "",
        "def test_every_mart_compiles_for_production() -> None:",
        '    sql = Project.load(PROJECT).compile(dialect="snowflake")',
        f'    assert "{project.starter.name}" in sql',
        "",
        "",
        *skip,
        "def test_the_marts_build_and_pass_their_checks(tmp_path: Path) -> None:",
        '    database = tmp_path / "marts.duckdb"',
        "    project = Project.load(PROJECT, database=database, target=tmp_path)",
        "    project.run().raise_for_status()",
        "    project.test(sources=True).raise_for_status()",
    ]
    return "\n".join(lines) + "\n"


def _data_of_test(project: NewProject) -> list[str]:
    """Return the lines that find out which of the data are not there: not all need be, in CI."""
    files = dict.fromkeys(map(project.place_of, project.sources))
    return [
        "DATA = [",
        *(f"    PROJECT / {json.dumps(file, ensure_ascii=False)}," for file in files),
        "]",
        "MISSING = [str(path) for path in DATA if not path.exists()]",
    ]


def _workflow(project: NewProject) -> str:
    return WORKFLOW.replace("MARTS_FROM", project.marts_from)


WORKFLOW = """\
name: CI

on:
  push:
    branches: [main]
  pull_request:

permissions:
  contents: read

env:
  # What pip installs marts from: a wheel in this repository, such as
  # wheels/marts-0.1.0-py3-none-any.whl, or a git reference, such as
  # git+https://github.com/OWNER/marts@v0.1.0
  MARTS: "MARTS_FROM"

jobs:
  marts:
    runs-on: ubuntu-24.04
    timeout-minutes: 30
    steps:
      - uses: actions/checkout@v6
        with:
          persist-credentials: false
      - uses: actions/setup-python@v6
        with:
          python-version: "3.11"
      - run: pip install "$MARTS" pytest ruff mypy
      - run: ruff check . && ruff format --check . && mypy .
      # It builds the marts from the data, if they are there, and checks them.
      - run: pytest
"""


def _readme(project: NewProject) -> str:
    starter, package = project.starter.name, project.package
    return README.format(
        package=package,
        starter=starter,
        data_note=project.data_note,
        production=PRODUCTION if project.production else NO_PRODUCTION,
        marts_from="the git reference of the `marts` that wrote this project."
        if project.marts_from.startswith("git+")
        else "put its wheel into `wheels/`, or name a git reference.",
    )


PRODUCTION = """\
`[tool.marts.environments.prod]` in `pyproject.toml` says where the sources are in production:
`marts run --env prod` builds there. `marts doctor --env prod` finds out beforehand whether that
would work."""
NO_PRODUCTION = """\
`marts run --backend snowflake --connection NAME --source-schema RAW --schema GOLD` builds the same
marts on Snowflake; `marts doctor` with the same options finds out beforehand whether that would
work."""
README = """\
# {package}

Marts that are built, checked and published by `marts`.

```console
marts run                # checks the sources, builds the marts, checks and publishes them
marts show {starter}
marts test --sources     # checks the sources against their declarations
pytest                   # what CI runs, besides ruff and mypy
```

| file | has |
|---|---|
| `{package}/sources.py` | the tables that the marts read, and what must hold for them |
| `{package}/{starter}.py` | the first mart: its columns and checks, and its definition |
| `pyproject.toml` | the settings, in `[tool.marts]`: where the data are |
| `target/` | what a run writes: the database, its report, offending rows of failed checks |

A mart is a function in a file of its own name. Its parameters name the tables that it reads. Copy
`{starter}.py` for the next one, and run `marts run -s NAME`.

## Data

{data_note}

## Production

{production}

CI installs `marts` from what `MARTS` in `.github/workflows/ci.yml` names: {marts_from}
"""
