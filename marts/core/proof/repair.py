"""Repair of generated rows: no error-level check of a source is broken when it ends.

Offending rows are dropped, and the rows that refer to them, until every check holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import ibis
import ibis.expr.types as ir

from marts.core.analysis.links import Link
from marts.core.authoring.checks import (
    Check,
    FreshCheck,
    RelationshipCheck,
    RowCheck,
    UniqueCheck,
    WholeCheck,
    tables_read,
)
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Source, checks_of
from marts.core.authoring.tolerance import tolerated
from marts.core.errors import MartsError
from marts.core.plan.state import CompiledQuery
from marts.core.project.graph import Graph
from marts.core.proof.generated import Row, table_of
from marts.core.query.checks import HOLDS_NOT, offending_rows
from marts.core.query.definition import logical_tables
from marts.core.run.world_engine import WorldEngine

MOST_ROUNDS = 50


class Repair:
    """Drops rows that break the error-level checks of sources, as of a date."""

    def __init__(
        self, graph: Graph, links: Iterable[Link], engine: WorldEngine, as_of: FixedAsOf
    ) -> None:
        self.sources = graph.project.sources
        self.links = tuple(links)
        self.engine = engine
        self.as_of = as_of
        self.tables = logical_tables(graph.project)
        self._compiled: dict[tuple[str, str], CompiledQuery] = {}

    def __call__(
        self,
        rows: Mapping[str, Sequence[Row]],
        *,
        about: Collection[str] | None = None,
        given: Collection[str] = (),
        may_be_empty: bool = False,
    ) -> dict[str, list[Row]]:
        """Return the rows that are left of the sources' rows.

        Only checks are made of which all sources have rows here, and that read those it is `about`.
        Raises MartsError for a check that holds for none of the rows, unless a source may be empty,
        or that would drop rows of the sources that are `given`.
        """
        left = {name: list(its) for name, its in rows.items()}
        due = list(self._due(left, about, given))
        for _ in range(MOST_ROUNDS):
            broken = [each for each in due if self._drop(left, *each, given)]
            for source, check in broken:
                if not (may_be_empty or left[source.name]):
                    raise _nothing_left(source, check)
            if not broken:
                return left
        raise _nothing_left(*broken[0])

    def _due(
        self, rows: Mapping[str, object], about: Collection[str] | None, given: Collection[str]
    ) -> Iterator[tuple[Source, Check]]:
        for source, check in self._checks:
            # Generated rows keep to the contracts of their columns.
            is_implied = isinstance(check, RowCheck) and check not in source.checks
            read = {source.name, *tables_read(check)}
            is_about = about is None or not read.isdisjoint(about)
            if read <= rows.keys() and is_about and (source.name in given or not is_implied):
                yield source, check

    @cached_property
    def _checks(self) -> list[tuple[Source, Check]]:
        return [
            (source, check)
            for source in self.sources.values()
            for check in checks_of(source)
            if check.severity == "error" and not isinstance(check, FreshCheck | WholeCheck)
            if tables_read(check) <= self.sources.keys()
        ]

    def _drop(
        self,
        left: dict[str, list[Row]],
        source: Source,
        check: Check,
        given: Collection[str],
    ) -> bool:
        """Drop the rows that break a check, if any; tell whether there were some."""
        name, kept = source.name, left[source.name]
        if isinstance(check, UniqueCheck) and check.where is None:
            kept = _first_of_each(kept, check.columns)
        elif isinstance(check, RelationshipCheck) and check.where is check.to_where is None:
            known_values = {row[check.to_column] for row in left[check.to_table]} | {None}
            orphans = {
                (row[check.column],) for row in kept if row[check.column] not in known_values
            }
            kept = _without(kept, (check.column,), orphans, tolerated(check.threshold, len(kept)))
        elif bad := self._offending(left, source, check):
            # A check may return rows of another source that it reads.
            for name in (source.name, *sorted(tables_read(check))):
                known = [column for column in bad[0] if column in self._columns(name)]
                if known:
                    break
            else:
                raise _nothing_left(source, check)
            refused = {tuple(row[column] for column in known) for row in bad}
            kept = _without(left[name], known, refused, tolerated(check.threshold, len(left[name])))
        if len(kept) == len(left[name]):
            return False
        if name in given:
            raise _broken_by_given(source, check, name)
        self._replace(left, name, kept, given)
        return True

    def _columns(self, name: str) -> set[str]:
        return {column.name for column in self.sources[name].columns}

    def _replace(
        self, left: dict[str, list[Row]], name: str, kept: list[Row], given: Collection[str]
    ) -> None:
        """Keep only some rows of a source, and drop those that referred to the others."""
        before, left[name] = left[name], kept
        for link in self.links:
            if link.parent != name or link.child not in left or link.child in given:
                continue
            gone = _keys(before, link.parent_columns) - _keys(kept, link.parent_columns)
            if not gone:
                continue
            children = left[link.child]
            staying = [
                row for row in children if tuple(row[each] for each in link.columns) not in gone
            ]
            if len(staying) < len(children):
                self._replace(left, link.child, staying, given)

    def _offending(
        self, left: Mapping[str, Sequence[Row]], source: Source, check: Check
    ) -> list[dict[str, Any]]:
        key = source.name, check.name
        if key not in self._compiled:
            self._compiled[key] = self.engine.compile(self._query(source, check))
        read = {source.name, *tables_read(check)}
        self.engine.show({name: table_of(self.sources[name], left[name]) for name in read})
        found: list[dict[str, Any]] = self.engine.rows(self._compiled[key]).to_pylist()
        return found

    def _query(self, source: Source, check: Check) -> ir.Table:
        if isinstance(check, UniqueCheck) and check.where is not None and source.grain:
            # The rows beyond the first of their key, and not the key with all of its rows.
            rows = self.tables[source.name].filter(check.where)
            window = ibis.window(group_by=check.columns, order_by=source.grain)
            numbered = rows.mutate(**{HOLDS_NOT: ibis.row_number().over(window)})
            return numbered.filter(numbered[HOLDS_NOT] > 0).select(*source.grain)
        return offending_rows(source, check, self.tables, self.as_of)


def _without(
    rows: Sequence[Row], columns: Sequence[str], refused: Collection[object], spared: int
) -> list[Row]:
    """Return the rows without those of refused values, of which the first ones are spared."""
    kept = []
    for row in rows:
        is_bad = tuple(row[column] for column in columns) in refused
        spared -= is_bad
        if not is_bad or spared >= 0:
            kept.append(row)
    return kept


def _keys(rows: Iterable[Row], columns: Sequence[str]) -> set[tuple[Any, ...]]:
    return {tuple(row[name] for name in columns) for row in rows}


def _first_of_each(rows: Iterable[Row], columns: Sequence[str]) -> list[Row]:
    met, kept = set[tuple[Any, ...]](), []
    for row in rows:
        key = tuple(row[name] for name in columns)
        if key not in met or None in key:
            met.add(key)
            kept.append(row)
    return kept


def _nothing_left(source: Source, check: Check) -> MartsError:
    return MartsError(
        f"no generic rows of {source.name} fulfil its check {check.name}",
        source.location,
        hint=f"give its rows in a corpus function, in a module that the setting `proof` names:\n"
        "  @corpus\n  def rows(thresholds, as_of):\n"
        f'      return {{"{source.name}": pyarrow.table(…)}}',
    )


def _broken_by_given(source: Source, check: Check, name: str) -> MartsError:
    return MartsError(
        f"the rows that a corpus function gives for {name} break the check {check.name}"
        f" of {source.name}",
        source.location,
        hint="give rows for which the error-level checks of the sources hold",
    )
