"""The steps by which a value is computed, each with the values that it had."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.analysis.formatting import Formatter
from marts.core.analysis.lineage import Name
from marts.core.analysis.readable import readable
from marts.core.analysis.relation_lineage import Lineage
from marts.core.analysis.row_values import (
    CaseBranch,
    Definition,
    Test,
    branches_of,
    definition_of,
    is_table,
    operands,
    tests_in,
    with_operands,
)
from marts.core.analysis.wording import AS_OF_DAY
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart
from marts.core.errors import masked
from marts.core.operations.explained import Branch, Case, Comparison, Input
from marts.core.query.definition import defining_query, logical_tables
from marts.core.query.nulls import declared_not_null

if TYPE_CHECKING:
    from marts.core.analysis.tracing import Key
    from marts.core.plan.queries import Queries
    from marts.core.project.graph import Graph
    from marts.core.run.world_engine import WorldEngine

MOST_STEPS = 20
"""As many steps are followed one after another; more would be of no help to anybody."""


@dataclass(frozen=True)
class _Dated(Formatter):
    """Formats operations; fixed days are written as in definitions: `'2025-01-02'`."""

    def day(self, day: datetime.date) -> str:
        """Return the text of a day: `as_of - 90 days`, or itself."""
        return super().day(day) if day in self.as_of_days else f"'{day}'"


@dataclass(frozen=True)
class _Step:
    """A column of a mart, how it is computed, and the key of its row; no key if there is one."""

    mart: Mart
    query: ir.Table
    definition: Definition
    key: Key


@dataclass(frozen=True)
class Steps:
    """Finds the steps of values in the marts that an engine has built from a few rows.

    `as_of` is the date of the queries, `rows` the number of rows behind the value in each source,
    `personal` the columns whose values are masked.
    """

    graph: Graph
    queries: Queries
    engine: WorldEngine
    as_of: datetime.date
    rows: Mapping[str, int]
    personal: Collection[Name]
    _texts: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def case(self, mart: Mart, column: str, key: Key) -> Case | None:
        """Return the branches of a column's definition, None if it is neither case nor test."""
        step = self._step(mart, column, key)
        found = step.definition
        branches = () if found.is_aggregated or found.table else branches_of(found.value)
        if not branches and not found.is_aggregated and any(tests_in(found.value)):
            branches = (CaseBranch(found.value, found.value),)
        values = {
            value
            for each in branches
            for value in (each.condition, *(v for t in each.tests for v in (t.value, t.whole)))
            if value is not None
        }
        if not values or any(v.find(ops.WindowFunction, filter=ops.Value) for v in values):
            return None
        row = self._values(step, values)
        return self._case(branches, row, self._wording(step)) if row else None

    def _case(
        self, branches: tuple[CaseBranch, ...], row: Mapping[ops.Value, Any], say: Formatter
    ) -> Case:
        found = tuple(
            Branch(
                None if each.condition is None else say(each.condition),
                _label(each.result, say),
                each.condition is None or row[each.condition],
                tuple(self._comparison(test, row, say) for test in each.tests),
            )
            for each in branches
        )
        is_case = len(found) > 1
        return Case(found, [bool(e.holds) for e in found].index(True) if is_case else None)

    def _comparison(self, test: Test, row: Mapping[ops.Value, Any], say: Formatter) -> Comparison:
        value, at = self._masked(test.value, row[test.value]), test.at.value
        operand = say(test.value)
        return Comparison(operand, value, test.sign, at, _apart(value, at), row[test.whole])

    def inputs(self, mart: Mart, column: str, key: Key) -> tuple[Input, ...]:
        """Return what a value is computed from, each once, by table in the order of the steps.

        It goes through temporary marts, and ends at published marts and sources.
        """
        found: dict[Name, Input] = {}
        steps = [self._step(mart, column, key)]
        for _ in range(MOST_STEPS):
            later: list[_Step] = []
            for each in (each for step in steps for each in self._inputs(step, later)):
                known = found.get((each.table, each.column))
                if known is None or (known.value is None and known.rows is None):
                    found[each.table, each.column] = each
            steps = list({(s.mart.name, s.definition): s for s in later}.values())
        tables = list(dict.fromkeys(table for table, _ in found))
        return tuple(sorted(found.values(), key=lambda each: tables.index(each.table)))

    def _step(self, mart: Mart, column: str, key: Key) -> _Step:
        query = self.queries.of(mart)
        return _Step(mart, query, definition_of(ops.Field(query.op(), column)), key)

    def _inputs(self, step: _Step, later: list[_Step]) -> Iterator[Input]:
        """Yield the columns in a definition, and add their own steps to the later ones."""
        found = step.definition
        fields = [] if found.is_aggregated else operands(found.value)
        if found.table:
            yield from self._of_table(fields[0], self._read(step, self._own_value(step)), later)
            return
        row = self._values(step, fields) or dict.fromkeys(fields)
        for each in fields:
            below = definition_of(each, found.path)
            if below.table and isinstance(below.value, ops.Field):
                read = self._read(replace(step, definition=below), row[each])
                yield from self._of_table(below.value, read, later)
            else:
                value = self._masked(each, row[each])
                yield Input(step.mart.name, each.name, value, None, self._said(step, below, value))
                later.append(replace(step, definition=below))
        for each in found.value.find(ops.Field, filter=ops.Value):
            if each not in fields:
                yield from self._of_rows(each)

    def _of_table(self, found: ops.Field, value: object, later: list[_Step]) -> Iterator[Input]:
        """Yield a column of a table; if this is a temporary mart, its definition comes later."""
        table, shown = str(found.rel.name), self._masked(found, value)
        mart = self.graph.project.marts.get(table)
        if mart is None or not mart.is_temporary:
            yield Input(table, found.name, shown)
            return
        step = self._step(mart, found.name, {})
        yield Input(table, found.name, shown, None, self._said(step, step.definition, value))
        if self.engine.rows(table).num_rows == 1:
            later.append(step)
        else:
            yield from self._of_rows(ops.Field(step.query.op(), found.name))

    def _of_rows(self, found: ops.Field) -> Iterator[Input]:
        """Yield the columns of sources and published marts behind one of several rows."""
        for table, column in sorted(self._lineage.made_of(found)):
            mart = self.graph.project.marts.get(table)
            if mart is None:
                yield Input(table, column, rows=self.rows.get(table, 0))
            elif mart.is_temporary:
                yield from self._of_rows(ops.Field(self.queries.of(mart).op(), column))
            else:
                yield Input(table, column, rows=self.engine.rows(table).num_rows)

    def _said(self, step: _Step, definition: Definition, value: object) -> str:
        """Return a definition as text: as the catalogue says it, if it is that of a column."""
        name = definition.name
        if name in step.query.columns:
            column = self._step(step.mart, name, {}).definition
            # A default says nothing of a value that is there.
            is_same = value is not None or column.default == definition.default
            if is_same and column.value == definition.value:
                return self._readable(step.mart)[name]
        return _text(definition, self._wording(step))

    def _readable(self, mart: Mart) -> Mapping[str, str]:
        if mart.name not in self._texts:
            self._texts[mart.name] = readable(mart, self.graph)
        return self._texts[mart.name]

    def _wording(self, step: _Step) -> Formatter:
        """Return what formats the expressions of a query, with days relative to the as-of date.

        Days that the query has on every date are fixed.
        """
        project = self.graph.project
        tables, not_null = logical_tables(project), declared_not_null(project)
        other = defining_query(step.mart, tables, FixedAsOf(AS_OF_DAY), not_null=not_null)
        return _Dated(as_of=self.as_of, as_of_days=_days_in(step.query) - _days_in(other))

    def _read(self, step: _Step, value: object) -> object:
        """Return the value of a table's column itself, from that of a column that copies it."""
        if step.definition.unchanged is None:
            return value
        read, path = step.definition.unchanged
        row = self._values(replace(step, definition=replace(step.definition, path=path)), [read])
        return row[read] if row else None

    def _own_value(self, step: _Step) -> object:
        rows = self._rows(step.query, step.key, [step.definition.name])
        return rows[0][step.definition.name] if len(rows) == 1 else None

    def _values(self, step: _Step, values: Collection[ops.Value]) -> Mapping[ops.Value, Any] | None:
        """Return values over what a definition reads, in its row; None if rows are several."""
        if not values:
            return {}
        names = {value: f"of_row_{n}" for n, value in enumerate(values)}
        path = [rel for rel in step.definition.path if not is_table(rel)]
        table = with_operands(step.query, path, {name: value for value, name in names.items()})
        rows = self._rows(table, step.key, names.values())
        return {v: rows[0][name] for v, name in names.items()} if len(rows) == 1 else None

    def _rows(self, table: ir.Table, key: Key, names: Collection[str]) -> list[dict[str, Any]]:
        tests = [table[name] == ibis.literal(v, table[name].type()) for name, v in key.items()]
        chosen = (table.filter(*tests) if tests else table).select(*names)
        found: list[dict[str, Any]] = self.engine.rows(self.engine.compile(chosen)).to_pylist()
        return found

    @cached_property
    def _lineage(self) -> Lineage:
        return Lineage()

    def _masked(self, value: ops.Value, found: object) -> object:
        is_personal = not self._lineage.made_of(value).isdisjoint(self.personal)
        return masked(found, is_personal=is_personal)


def _days_in(query: ir.Table) -> frozenset[datetime.date]:
    """Return the days that are constants of a query."""
    literals = query.op().find(ops.Literal)
    return frozenset(e.value for e in literals if e.dtype.is_date() and e.value is not None)


def _text(definition: Definition, say: Formatter) -> str:
    value = definition.value
    text = f"{definition.table}.{value.name}" if definition.table else say(value)
    return f"{text}; {say(definition.default)} where null" if definition.default else text


def _label(result: ops.Value, say: Formatter) -> str:
    """Return a result as text; a label as it is."""
    is_label = isinstance(result, ops.Literal) and isinstance(result.value, str)
    return result.value if is_label else say(result)


def _apart(value: Any, at: Any) -> object:
    """Return how far a number or a date is above another one, None for other values."""
    match value, at:
        case (bool(), _) | (_, bool()):
            return None
        case (int() | Decimal(), int() | Decimal()):
            return value - at
        case (int() | float() | Decimal(), int() | float() | Decimal()):
            return float(value) - float(at)
        case (datetime.date(), datetime.date()) if type(value) is type(at):
            return (value - at).days
    return None
