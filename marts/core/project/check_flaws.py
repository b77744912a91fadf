"""What is wrong with the checks of a table, given all declarations."""

from __future__ import annotations

from collections import Counter

from marts.core.authoring.checks import RelationshipCheck, tables_read
from marts.core.authoring.tables import Mart, Source, checks_of
from marts.core.errors import DefinitionError, did_you_mean
from marts.core.project.loading import Declarations


def refuse_check_flaws(table: Source | Mart, project: Declarations) -> None:
    """Raise DefinitionError for checks of one name, and for what a check must not read.

    All tables that the checks read exist.
    """
    checks = checks_of(table)
    if isinstance(table, Source):
        _refuse_reading_marts(table, project)
    for name, count in Counter(check.name for check in checks).items():
        if count > 1:
            raise DefinitionError(
                f"{table.name} has {count} checks named {name}",
                table.location,
                hint="its columns and grain imply some checks: leave yours out, or rename it",
            )
    for check in checks:
        if isinstance(check, RelationshipCheck):
            other = project.sources.get(check.to_table) or project.marts[check.to_table]
            columns = [column.name for column in other.columns]
            if check.to_column not in columns:
                raise DefinitionError(
                    f"check {check.name} of {table.name}: {other.name} has no column"
                    f" {check.to_column}",
                    table.location,
                    hint=did_you_mean(check.to_column, columns),
                )


def _refuse_reading_marts(source: Source, project: Declarations) -> None:
    for check in source.checks:
        for name in sorted(tables_read(check) & project.marts.keys()):
            raise DefinitionError(
                f"check {check.name} of {source.name} reads the mart {name},"
                " but sources are checked before marts are built",
                source.location,
                hint=f"declare the check in a mart that reads {source.name}",
            )
