"""Expressions as a person would write them, with the names of columns that readers know."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import ibis.expr.operations as ops

from marts.core.analysis.formatting import FORMS, Formatter
from marts.core.analysis.known_values import (
    Context,
    Key,
    Own,
    Path,
    branch_of,
    default_of,
    end_of,
    holds,
    is_metric,
    step,
)
from marts.core.analysis.row_words import (
    Groups,
    conjunct,
    groups_of,
    is_obvious,
    limited,
    only_table,
    rows_text,
)
from marts.core.analysis.words import ATOM, SIGNS, WORDS, level_of

AS_OF_DAY = datetime.date(5432, 10, 17)
"""The day that stands for as_of: one near which no constant of a mart is."""
NEAR = 150_000
"""How many days around it are taken for days relative to as_of."""
LONG = 60
"""A longer expression that its author has named is said under its name."""


@dataclass
class Notes:
    """What is said after an expression: conditions, groups, and where it is null."""

    where: dict[str, None] = field(default_factory=dict)
    groups: dict[Groups, None] = field(default_factory=dict)
    of_rows: dict[str, None] = field(default_factory=dict)
    null_where: dict[str, None] = field(default_factory=dict)
    is_unmatched: bool = False
    parts: dict[str, Part] = field(default_factory=dict)
    """The long parts of it that are said by name."""
    seen: set[tuple[ops.Relation, Path]] = field(default_factory=set)
    """The joins, limits, filters and groups that are noted."""

    def clear(self) -> None:
        """Forget everything but the parts."""
        vars(self).update(vars(Notes(parts=self.parts)))


@dataclass(frozen=True)
class Part:
    """A long expression that its author has named: its definition, and the parts in that."""

    name: str
    lines: tuple[str, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Wording(Formatter):
    """Says values of one query in words; what belongs after the whole text goes to the notes."""

    context: Context = field(kw_only=True, repr=False)
    notes: Notes = field(kw_only=True, repr=False, compare=False)
    define: Callable[[Wording, ops.Value], list[str]] = field(kw_only=True, repr=False)
    column: str = field(kw_only=True)
    """The column that is defined, whose name is not part of its own definition."""
    path: Path = ()
    rows_of: str | None = None
    """The only table of the rows that are summed up here."""
    is_strict: bool = True
    """Whether the whole is null if this value is."""
    is_condition: bool = False
    """Whether null counts as false here."""
    says_groups: bool = False
    """Whether groups are said with each aggregate, because there are several."""
    not_zero: frozenset[Key] = frozenset()
    """The values that are not 0, by the condition under which this one is used."""
    is_brief: bool = False
    """Whether joins are said without their conditions."""
    uses_names: bool = True
    """Whether columns of the query are named."""
    known: dict[Key, Part | None] = field(default_factory=dict, repr=False, compare=False)
    """The named expressions that were met; None for a short one, which is said as it is."""

    def __call__(self, op: object) -> str:
        """Return the text of an operation, a type, a unit or a plain value."""
        if not isinstance(op, ops.Value):
            return super().__call__(op)
        at, core = self.at(op)
        return at.name_of(core) or at.said(core)

    def said(self, op: ops.Value) -> str:
        """Return the text of an operation itself, not the name of a column that has its value."""
        if isinstance(op, ops.Field):
            return self.column_text(op)
        for kinds, words in WORDS:
            if isinstance(op, kinds):
                return words(self, op)
        return self.in_general(op)

    def in_general(self, op: ops.Node) -> str:
        """Return the text of an operation without words of its own."""
        inside = self.loose()
        for kinds, form in FORMS.items():
            if isinstance(op, kinds):
                return form(inside, op)
        raise TypeError(type(op))

    def but(self, **changes: Any) -> Wording:
        """Return the wording with some changes."""
        return replace(self, **changes)

    def loose(self) -> Wording:
        """Return the wording of a part whose null does not make the whole null."""
        return replace(self, is_strict=False, is_condition=False)

    def below(self, op: ops.Node) -> Wording:
        """Return the wording of what is in a subquery."""
        return replace(self.loose(), path=(*self.path, op))

    def condition(self, op: ops.Value) -> str:
        """Return the text of a condition, which null does not fulfil."""
        return replace(self.loose(), is_condition=True)(op)

    def inner(self, op: object) -> str:
        """Return the text of an operand of an operation without words of its own."""
        return self.operand(op, ATOM) if isinstance(op, ops.Value) else self(op)

    def operand(self, op: ops.Value, level: int, *, default: ops.Literal | None = None) -> str:
        """Return the text of an operand, in parentheses if it is of a lower level.

        A column of the query with this default may stand for it.
        """
        if default is not None and (name := self.own_name(op, default)):
            return name
        at, core = self.at(op)
        text = self(op)
        is_name = at.name_of(core) or isinstance(core, ops.Field)
        return text if is_name or level_of(core) >= level else f"({text})"

    def core(self, op: ops.Value) -> ops.Value:
        """Return the operation that computes a value, or the field under whose name it is said."""
        return self.at(op)[1]

    def at(self, op: ops.Value, *, by_name: bool = True) -> tuple[Wording, ops.Value]:
        """Return the operation that computes a value, and the wording there.

        With `by_name`, it is the field of a value that is said under a name.
        """
        say = self
        while True:
            if by_name and say.name_of(op):
                return say, op
            if say.is_condition and _is_false_for_null(op):
                op = op.arg[0]
                continue
            below = step(op, say.path)
            if below is None or (is_metric(op) and (say.says_groups or say.is_grouped)):
                return say, op
            say.note(op)
            rows_of = only_table(op.rel) if is_metric(op) else None
            op, path = below
            say = replace(say, path=path, rows_of=say.rows_of or rows_of)

    @property
    def is_grouped(self) -> bool:
        """Tell whether the value is one of the rows that an aggregate groups."""
        return any(isinstance(each, ops.Aggregate) for each in self.path)

    def name_of(self, op: ops.Value) -> str | None:
        """Return the name under which a value is said: that of a column, or of a long part."""
        return self.own_name(op) or self._part_name(op)

    def own_name(self, op: ops.Value, default: ops.Literal | None = None) -> str | None:
        """Return the name of a column of the query that has this value.

        With a default, its nulls may be this constant.
        """
        key: Key | None = (op, self.path) if self.uses_names else None
        while key:
            for own in self.context.own.get(key, ()):
                is_same = own.default is None or (
                    default is not None and own.default.value == default.value
                )
                if is_same and own.name != self.column:
                    return own.name
            key = step(*key) if default is not None else None
        return None

    def _part_name(self, op: ops.Value) -> str | None:
        """Return the name of a long expression that its author has named; note what it is."""
        if not (isinstance(op, ops.Field) and isinstance(op.rel, ops.Project) and self.uses_names):
            return None
        key = (op, self.path)
        if key not in self.known:
            self.known[key] = self._part(op.name, op.rel.values[op.name])
        if part := self.known[key]:
            self.notes.parts[part.name] = part
        return part.name if part else None

    def _part(self, name: str, value: ops.Value) -> Part | None:
        if isinstance(value, ops.Field | ops.Literal):
            return None
        notes = Notes()
        apart = replace(self, notes=notes, is_strict=True, is_condition=False, says_groups=False)
        lines = self.define(replace(apart, not_zero=frozenset()), value)
        if len(lines) == 1 and len(lines[0]) <= LONG and ";" not in lines[0]:
            return None
        taken = {each.name for each in self.known.values() if each} | self.context.names
        free, number = name, 2
        while free in taken:
            free, number = f"{name}_{number}", number + 1
        return Part(free, tuple(lines), tuple(notes.parts.values()))

    def known_comparison(self, op: ops.Comparison) -> str | None:
        """Return a comparison of a column that has a default, where the default changes nothing."""
        own = self.compared(op)
        return f"{own.name} {SIGNS[type(op)][0]} {self(op.right)}" if own else None

    def compared(self, op: ops.Comparison) -> Own | None:
        """Return the column with a default that stands for the value of a comparison, if any does.

        The value without the default is compared; null does not hold, and neither must the default.
        """
        if not self.is_condition or not isinstance(op.right, ops.Literal):
            return None
        key: Key | None = (op.left, self.path) if self.uses_names else None
        if self.own_name(op.left):
            return None
        while key:
            for own in self.context.own.get(key, ()):
                if own.default and own.name != self.column and not holds(op, own.default):
                    return own
            key = step(*key)
        return None

    def day(self, day: datetime.date) -> str:
        """Return the text of a day: `as_of - 90 days`, or itself.

        With an `as_of`, the days of `as_of_days` alone are relative to it.
        """
        days = (day - (self.as_of or AS_OF_DAY)).days
        if day not in self.as_of_days if self.as_of else abs(days) > NEAR:
            return f"'{day}'"
        if days == 0:
            return "as_of"
        return f"as_of {'+' if days > 0 else '-'} {abs(days)} day{'s' if abs(days) > 1 else ''}"

    def column_text(self, op: ops.Field) -> str:
        """Return the text of a column of a table, of a union, or of an aggregate."""
        rel = op.rel
        if is_metric(op):
            return f"({self.within(rel)(rel.metrics[op.name])}{groups_of(self, rel).inline})"
        if isinstance(rel, ops.Set):
            return self._of_either(op)
        if not isinstance(rel, ops.PhysicalTable):
            return f"{op.name} of {rows_text(self, rel)}"
        is_one = len(self.context.tables) == 1 and not self.context.is_joined_with_itself
        is_own = self.uses_names and op.name in self.context.query.schema.names
        is_known = is_one and not is_own
        if self.rows_of == rel.name or is_known:
            return str(op.name)
        return f"{self.place(rel.name)}.{op.name}"

    def place(self, table: str) -> str:
        """Return the name of a table, with a number for each further place where it is joined."""
        here = branch_of(self.path)
        places = [each for each in self.context.places.get(table, ()) if branch_of(each) == here]
        number = places.index(self.path) + 1 if self.path in places else 1
        return table if number == 1 else f"{table} ({number})"

    def _of_either(self, op: ops.Field) -> str:
        if not isinstance(op.rel, ops.Union):
            left = op.rel.left
            return self.but(path=(*self.path, left))(ops.Field(left, op.name))
        sides = dict.fromkeys(
            replace(self.loose(), path=(*self.path, side))(ops.Field(side, op.name))
            for side in (op.rel.left, op.rel.right)
        )
        return next(iter(sides)) if len(sides) == 1 else f"({' | '.join(sides)})"

    def inline(self, op: ops.Value) -> str:
        """Return the text of a value with its groups and conditions, for use within another."""
        say = replace(self.loose(), says_groups=True)
        text = say(op)
        return text.removeprefix("(").removesuffix(")") if is_metric(say.core(op)) else text

    # What is said after the text

    def guard(self, op: ops.Value, zero: ops.Literal) -> None:
        """Note that the whole is null where a divisor is 0, unless it never is."""
        core, path = last = end_of(op, self.path)
        rel = path[-1] if path else None
        is_count = isinstance(core, ops.CountStar) and core.where is None
        if last in self.not_zero or (is_count and isinstance(rel, ops.Aggregate) and rel.groups):
            return
        self.notes.null_where[f"{self.loose().operand(op, ATOM, default=zero)} is 0"] = None

    def note(self, op: ops.Value) -> None:
        """Note what a value that is read through joins, limits and groups needs said about it."""
        if not isinstance(op, ops.Field) or self.is_grouped:
            return
        rel = op.rel
        link = self.context.links.get(rel)
        if self.is_strict and rel in self.context.unmatched:
            self.notes.is_unmatched = True
        is_noted = is_metric(op) or link or isinstance(rel, ops.Limit | ops.Filter)
        if not is_noted or (rel, self.path) in self.notes.seen:
            return
        self.notes.seen.add((rel, self.path))
        if is_metric(op):
            self.notes.groups[groups_of(self, rel)] = None
        elif link and (self._is_beside() or link.how not in INNER):
            self._note_conditions(each for each in link.predicates if not is_obvious(each))
        elif isinstance(rel, ops.Limit) and self.path:
            self.notes.of_rows[limited(self, rel)] = None
        elif isinstance(rel, ops.Filter) and self._is_beside():
            self._note_conditions(rel.predicates)

    def _note_conditions(self, predicates: Iterable[ops.Value]) -> None:
        say = replace(self, says_groups=True, uses_names=False)
        for predicate in predicates:
            self.notes.where[conjunct(say, predicate)] = None

    def _is_beside(self) -> bool:
        """Tell whether the rows here do not decide which rows the query has."""
        links = (self.context.links.get(each) for each in self.path)
        return any(link.how not in INNER for link in links if link)

    def within(self, rel: ops.Aggregate) -> Wording:
        """Return the wording of the rows that an aggregate sums up."""
        return replace(
            self.loose(), path=(*self.path, rel), rows_of=only_table(rel), says_groups=True
        )


def _is_false_for_null(op: ops.Value) -> bool:
    found = default_of(op)
    return bool(found and found[1].value is False)


INNER = ("inner", "any_inner", "cross")
"""The joins whose conditions all rows of the query fulfil."""
