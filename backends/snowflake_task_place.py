"""Where a scheduled run is: the names of its tables, procedures and tasks, and of what it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sqlglot.expressions as sge

from backends import snowflake_ddl as ddl
from backends.snowflake_locations import Place
from backends.snowflake_source import Source
from backends.snowflake_sql import Namespace, qualified_sql
from backends.snowflake_state import Schema
from backends.snowflake_types import PLAIN, Physical
from marts.core.plan.schedule import PARAMETER, Schedule, with_date
from marts.core.plan.state import DEFAULT_GROUP, CompiledQuery

MOMENT = sge.Placeholder(this="MOMENT")
AS_OF = sge.Placeholder(this="AS_OF")


@dataclass(frozen=True)
class SourceAt:
    """A source and the schema that has it."""

    source: Source
    namespace: Namespace


@dataclass(frozen=True)
class TaskPlace:
    """The schemas of the marts and of the candidates, and the sources that exist.

    Tasks, procedures and their tables are in the schema of the candidates, which readers cannot
    use. `absent` has the places in which optional sources were searched for.
    """

    schedule: Schedule
    schema: Schema
    candidates: Namespace
    sources: Mapping[str, SourceAt]
    absent: Mapping[str, Place]

    @property
    def prefix(self) -> str:
        """How the names of all that belongs to this schedule begin."""
        own = self.schedule
        group = "" if own.group == DEFAULT_GROUP else f"__{own.group}"
        return f"{own.package.replace('.', '_')}{group}".upper()

    def own(self, name: str) -> str:
        """Return the qualified name of something that belongs to this schedule, as SQL."""
        return self.candidates.qualified(f"{self.prefix}__{name}").sql(ddl.DIALECT)

    @property
    def runs(self) -> str:
        """The table of scheduled runs."""
        return self.own("RUNS")

    @property
    def checks(self) -> str:
        """The table of what they found."""
        return self.own("CHECKS")

    def target(self, name: str) -> str:
        """Return the qualified name of a published mart, as SQL."""
        return self.schema.qualified(name)

    def candidate(self, name: str) -> str:
        """Return the qualified name of a mart's candidate, as SQL."""
        return self._candidate(name).sql(ddl.DIALECT)

    def candidate_name(self, name: str) -> str:
        """Return the name of a mart's candidate."""
        return f"{name}__OF_{self.prefix}"

    def _candidate(self, name: str) -> sge.Table:
        return self.candidates.qualified(self.candidate_name(name))

    def sql(self, query: CompiledQuery) -> str:
        """Return a query over the candidates and the pinned sources, with variables in it."""
        built = {each.name: self._candidate(each.name) for each in self.schedule.marts}
        read = {
            name: each.source.qualified(each.namespace, MOMENT)
            for name, each in self.sources.items()
        }
        return self._qualified(query, {**built, **read}, _date)

    def definition(self, query: CompiledQuery) -> str:
        """Return the definition of a view over published marts and the sources as they are.

        Where it has a date, it has a call of PARAMETER in its place.
        """
        read = {name: each.source.qualified(each.namespace) for name, each in self.sources.items()}
        return self._qualified(query, read, _call)

    def _qualified(
        self,
        query: CompiledQuery,
        known: Mapping[str, sge.Table | sge.Subquery],
        date_of: Callable[[int], sge.Expr],
    ) -> str:
        tree = with_date(query.tree, date_of)
        other = CompiledQuery(tree, query.columns, query.names, query.dialect)
        used = {name: table for name, table in known.items() if name in query.names}
        return qualified_sql(other, used, self.schema.namespace)


def _date(days: int) -> sge.Expr:
    if not days:
        return AS_OF.copy()
    number = sge.convert(days)
    return sge.Anonymous(this="DATEADD", expressions=[sge.var("DAY"), number, AS_OF.copy()])


def _call(days: int) -> sge.Expr:
    return sge.Anonymous(this=PARAMETER, expressions=[sge.convert(days)])


def type_words(column: Physical) -> tuple[str, ...]:
    """Return the types that the catalog may have of a column, so that it is read as it was."""
    if column.kind in ("whole", "decimal"):
        precision = getattr(column.type, "precision", None) or 38
        return (f"NUMBER({precision},{getattr(column.type, 'scale', None) or 0})",)
    return tuple(word for word, (kind, _, _) in PLAIN.items() if kind == column.kind)
