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

from marts.core.analysis.known_values import Context, place_in
from marts.core.analysis.lineage import Name
from marts.core.analysis.readable import readable, wording, written_out
from marts.core.analysis.relation_lineage import Lineage
from marts.core.analysis.row_values import (
    CaseBranch,
    Definition,
    Test,
    branches_of,
    definition_of,
    in_part,
    is_table,
    operands,
    tests_in,
    with_operands,
)
from marts.core.analysis.selections import as_selections
from marts.core.analysis.wording import AS_OF_DAY, Wording
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
    _days: dict[str, frozenset[datetime.date]] = field(default_factory=dict)

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
        say = self._wording(step, column).but(says_groups=True)
        return self._case(branches, row, say) if row else None

    def _case(
        self, branches: tuple[CaseBranch, ...], row: Mapping[ops.Value, Any], say: Wording
    ) -> Case:
        found = tuple(self._branch(each, row, say) for each in branches)
        is_case = len(found) > 1
        return Case(found, [bool(e.holds) for e in found].index(True) if is_case else None)

    def _branch(self, branch: CaseBranch, row: Mapping[ops.Value, Any], say: Wording) -> Branch:
        condition, result = branch.condition, _label(branch.result, say)
        if condition is None:
            return Branch(None, result, True, ())
        is_negated = any(condition.find(ops.Not, filter=ops.Value))
        tests = say.but(is_condition=not is_negated)
        found = tuple(self._comparison(each, row, tests) for each in branch.tests)
        holds = row[condition]
        if holds is None and found and all(each.holds is not None for each in found):
            holds = False
        return Branch(say.condition(condition), result, holds, found)

    def _comparison(self, test: Test, row: Mapping[ops.Value, Any], say: Wording) -> Comparison:
        value, at, holds = row[test.value], test.at.value, row[test.whole]
        operand, is_compared = say.but(is_condition=False)(test.value), test.whole
        own = say.compared(is_compared) if isinstance(is_compared, ops.Comparison) else None
        if own and own.default:
            # The condition is said of the column, which has its default in place of null.
            operand = own.name
            value, holds = (own.default.value, False) if value is None else (value, holds)
        value, at = _alike(self._masked(test.value, value), at)
        return Comparison(operand, value, test.sign, at, _apart(value, at), holds)

    def inputs(self, mart: Mart, column: str, key: Key) -> tuple[Input, ...]:
        """Return what a value is computed from, each once, by table in the order of the steps.

        It goes through temporary marts, and ends at published marts and sources.
        """
        found: dict[Name, Input] = {}
        steps = [self._step(mart, column, key)]
        for _ in range(MOST_STEPS):
            later: list[_Step] = []
            for each in (each for step in steps for each in self._inputs(step, later)):
                found.setdefault((each.table, each.column), each)
            steps = list({(s.mart.name, s.definition): s for s in later}.values())
        tables = list(dict.fromkeys(table for table, _ in found))
        return tuple(sorted(found.values(), key=lambda each: tables.index(each.table)))

    def _step(self, mart: Mart, column: str, key: Key) -> _Step:
        query = as_selections(self.queries.of(mart).op())
        return self._below(mart, query, key, ops.Field(query, column), ())

    def _below(
        self,
        mart: Mart,
        query: ops.Relation,
        key: Key,
        column: ops.Field,
        above: tuple[ops.Relation, ...],
    ) -> _Step:
        """Return the step of a column in a query; in a union, in the part that has the row."""
        while True:
            step = _Step(mart, query.to_expr(), definition_of(column, above), key)
            union = step.definition.path[-1]
            made = self._part(step, union) if isinstance(union, ops.Union) else None
            if made is None:
                return step
            query, column = made[query], ops.Field(made[column.rel], column.name)
            above = tuple(made[each] for each in above)

    def _part(self, step: _Step, union: ops.Union) -> Mapping[ops.Node, ops.Relation] | None:
        """Return the relations of a query with only that part of a union that has the row."""
        query, found = step.query.op(), list[Mapping[ops.Node, ops.Relation]]()
        for part in (union.left, union.right):
            made = in_part(query, union, part)
            table = made[query].to_expr()
            if self._rows(table, step.key, table.columns):
                found.append(made)
        return found[0] if len(found) == 1 else None

    def _inputs(self, step: _Step, later: list[_Step]) -> Iterator[Input]:
        """Yield the columns in a definition, and add their own steps to the later ones."""
        found = step.definition
        if found.table:
            yield from self._of_table(step, self._read(step, self._own_value(step)), later)
            return
        fields = [] if found.is_aggregated else operands(found.value)
        row = self._values(step, fields) or {}
        fields = [each for each in fields if each in row]
        for each in fields:
            below = self._below(step.mart, step.query.op(), step.key, each, found.path)
            if below.definition.table:
                yield from self._of_table(below, self._read(below, row[each]), later)
            else:
                value, text = self._said(below, each, row[each], found.path)
                yield Input(step.mart.name, each.name, self._masked(each, value), None, text)
                later.append(below)
        for each in found.value.find(ops.Field, filter=ops.Value):
            if each not in fields:
                yield from self._of_rows(each)

    def _of_table(self, step: _Step, value: object, later: list[_Step]) -> Iterator[Input]:
        """Yield a column of a table; if this is a temporary mart, its definition comes later."""
        found = step.definition.value
        if not isinstance(found, ops.Field):
            raise TypeError(found)
        table, shown = str(found.rel.name), self._masked(found, value)
        # A table that is joined with itself has a number.
        place = self._wording(step, found.name).place(table)
        mart = self.graph.project.marts.get(table)
        if mart is None or not mart.is_temporary:
            yield Input(place, found.name, shown)
            return
        yield Input(place, found.name, shown, None, self._readable(mart)[found.name])
        below = self._step(mart, found.name, {})
        if self.engine.rows(table).num_rows == 1:
            later.append(below)
        else:
            yield from self._of_rows(ops.Field(below.query.op(), found.name))

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

    def _said(
        self, step: _Step, column: ops.Field, value: object, above: tuple[ops.Relation, ...]
    ) -> tuple[object, str]:
        """Return a value and its definition: as the catalogue has it, if it is that of a column.

        A column with a default may have another value: then it says so.
        """
        name, query, found = column.name, step.query.op(), step.definition
        own = definition_of(ops.Field(query, name)) if name in query.schema else None
        if own and own.value == found.value:
            kind = next(each.type for each in step.mart.columns if each.name == name)
            value = _as_date(value) if kind == "date" else value
            if value is not None or own.default == found.default:
                return value, self._readable(step.mart)[name]
        say = self._wording(step, name)
        text = written_out(say.but(path=place_in(above)), column)
        if own and own.value == found.value and own.default:
            text += f"; {say(own.default)} in the column {name}"
        return value, text

    def _readable(self, mart: Mart) -> Mapping[str, str]:
        if mart.name not in self._texts:
            self._texts[mart.name] = readable(mart, self.graph)
        return self._texts[mart.name]

    def _wording(self, step: _Step, column: str) -> Wording:
        """Return what says the expressions of a query, with days relative to the as-of date.

        Days that the query has on every date are fixed.
        """
        project, mart = self.graph.project, step.mart
        not_null = declared_not_null(project)
        if mart.name not in self._days:
            tables, day = logical_tables(project), FixedAsOf(AS_OF_DAY)
            other = defining_query(mart, tables, day, not_null=not_null)
            self._days[mart.name] = _days_in(self.queries.of(mart)) - _days_in(other)
        say = wording(Context(step.query.op(), not_null), column)
        path = place_in(step.definition.path)
        return say.but(path=path, as_of=self.as_of, as_of_days=self._days[mart.name])

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


def _label(result: ops.Value, say: Wording) -> str:
    """Return a result as text; a label as it is."""
    is_label = isinstance(result, ops.Literal) and isinstance(result.value, str)
    return result.value if is_label else say.loose()(result)


def _as_date(value: object) -> object:
    """Return the day of a moment at its beginning, and other values as they are."""
    is_day = isinstance(value, datetime.datetime) and value.time() == datetime.time()
    return value.date() if is_day else value  # type: ignore[attr-defined]


def _alike(value: object, at: object) -> tuple[object, object]:
    """Return two values as days if both are, or else as moments if one is."""
    moments = [isinstance(each, datetime.datetime) for each in (value, at)]
    if any(moments) and all(isinstance(each, datetime.date) for each in (value, at)):
        days = _as_date(value), _as_date(at)
        if not any(isinstance(each, datetime.datetime) for each in days) and not all(moments):
            return days
        return _as_moment(value), _as_moment(at)
    return value, at


def _as_moment(value: Any) -> datetime.datetime:
    """Return the beginning of a day, and a moment as it is."""
    is_moment = isinstance(value, datetime.datetime)
    return value if is_moment else datetime.datetime.combine(value, datetime.time())


def _apart(value: Any, at: Any) -> object:
    """Return how far a number, a day or a moment is above another one, None for other values."""
    match value, at:
        case (bool(), _) | (_, bool()):
            return None
        case (int() | Decimal(), int() | Decimal()):
            return value - at
        case (int() | float() | Decimal(), int() | float() | Decimal()):
            return float(value) - float(at)
        case (datetime.datetime(), datetime.datetime()):
            return value - at
        case (datetime.date(), datetime.date()) if type(value) is type(at):
            return (value - at).days
    return None
