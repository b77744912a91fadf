"""The keywords of a project's methods, which are options of the command line by their names."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypedDict

from marts.core.errors import UsageError, did_you_mean

Names = str | Iterable[str]
"""Names separated by commas, or several of them."""
Day = str | datetime.date
"""A date, or its text: 2025-06-30."""
PathLike = str | os.PathLike[str]


class GivenSettings(TypedDict, total=False):
    """The settings that `Project.load` takes, named like the options of `marts run`."""

    package: str
    env: str
    defer: str
    select: Names
    exclude: Names
    as_of: Day
    backend: Literal["duckdb", "snowflake"]
    data: PathLike
    database: PathLike
    schema: str
    source_database: str
    source_schema: str
    connection: str
    warehouse: str
    role: str
    threads: int
    memory_limit: str
    lock_timeout: int
    reshape: Names
    require_proof: bool
    proof_file: PathLike
    target: PathLike


class TestKeywords(TypedDict, total=False):
    """What `Project.test` takes besides `select`; see `marts test --help`."""

    exclude: Names
    as_of: Day
    sources: bool
    invariants: bool


class ExportKeywords(TypedDict, total=False):
    """What `Project.export` takes besides mart and file; see `marts export --help`."""

    where: str | None
    columns: Names
    order_by: Names
    limit: int | None
    include_personal: bool
    overwrite: bool


class RunKeywords(TypedDict, total=False):
    """What `Project.run` takes besides `select`; see `marts run --help`."""

    exclude: Names
    as_of: Day
    force: bool
    diff: bool
    max_change: str
    dry_run: bool
    no_source_checks: bool
    accept_shrink: bool
    adopt: Names
    reshape: Names
    require_proof: bool
    proof_file: PathLike
    accept_unproven: Names
    reason: str
    drop_orphans: bool
    defer: str
    lock_timeout: int


def known(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return keywords; raise UsageError for one that a TypedDict does not have."""
    names = kind.__annotations__
    for name in given:
        if name not in names:
            raise UsageError(
                f"there is no keyword {name}",
                hint=did_you_mean(name, names) or f"the keywords are: {', '.join(names)}",
            )
    return dict(given)
