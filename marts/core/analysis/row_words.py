"""Which rows a relation has, in words: from which tables, by which conditions, in which groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import ibis.expr.operations as ops

from marts.core.analysis.known_values import copied, end_of, is_metric, is_of_table, tables_of
from marts.core.analysis.saying import Say

Rows = tuple[str, list[str]]
"""From where a relation has its rows, and the conditions that they fulfil."""


@dataclass(frozen=True)
class Groups:
    """Which rows an aggregate sums up: those of `conditions`, and in which groups."""

    conditions: tuple[str, ...]
    per: str

    @property
    def inline(self) -> str:
        """What is said of them within an expression."""
        return f"{_where(self.conditions)} {self.per}"


def groups_of(say: Say, rel: ops.Aggregate) -> Groups:
    """Return which rows an aggregate sums up, and by what."""
    base, conditions = parts_of_rows(say.within(rel).but(is_brief=True), rel.parent)
    keys = keys_text(say, (ops.Field(rel, name) for name in rel.groups))
    per = f"per {keys}" if keys else "over all rows"
    # The rows of the whole query are said apart from its columns.
    is_whole = not any(each in say.context.links for each in say.path)
    is_known = len(say.context.tables) == 1 and base in say.context.tables
    is_clear = is_known or (is_whole and len(tables_of(rel)) > 1)
    return Groups(tuple(conditions), per if is_clear else f"{per} of {_enclosed(base)}")


def keys_text(say: Say, values: Iterable[ops.Value]) -> str:
    """Return columns by which rows are grouped, without their table where that is clear."""
    texts = []
    for value in values:
        core, _ = end_of(value, ())
        table = core.rel.name if is_of_table(core) else None
        is_free = table and core.name not in say.context.query.schema.names
        rel = value.rel if isinstance(value, ops.Field) else None
        of_group = only_table(rel) if isinstance(rel, ops.Aggregate) else None
        rows_of = table if is_free else of_group or say.rows_of
        texts.append(say.loose().but(rows_of=rows_of)(value))
    return listed(texts)


def listed(texts: Iterable[str]) -> str:
    """Return texts as a list in a sentence."""
    *first, last = list(texts) or [""]
    return f"{', '.join(first)} and {last}" if first else last


def only_table(rel: ops.Relation) -> str | None:
    """Return the table that a relation is computed from, if it is one."""
    tables = tables_of(rel)
    return next(iter(tables)) if len(tables) == 1 else None


def rows_text(say: Say, rel: ops.Relation) -> str:
    """Return which rows a relation has, on one line."""
    base, conditions = parts_of_rows(say, rel)
    return _in_line(base) + _where(conditions)


def lines_of_rows(say: Say) -> str:
    """Return which rows the query has, with a line for each join and for the conditions."""
    base, conditions = parts_of_rows(say.but(uses_names=False), say.context.query)
    return base + _where(conditions).replace(" where ", "\nwhere ", 1)


def parts_of_rows(say: Say, rel: ops.Relation) -> Rows:
    """Return from where a relation has its rows, and the conditions that they fulfil."""
    for kinds, words in RELATIONS:
        if isinstance(rel, kinds):
            return words(say, rel)
    below = [each for each in rel.__children__ if isinstance(each, ops.Relation)]
    texts = ", ".join(rows_text(say, each) for each in below)
    return f"{type(rel).__name__.lower()}({texts})", []


def conjunct(say: Say, op: ops.Value) -> str:
    """Return the text of a condition among others that hold, too."""
    text = say.condition(op)
    return f"({text})" if isinstance(say.core(op), ops.Or) else text


def limited(say: Say, rel: ops.Limit) -> str:
    """Return which rows a limit leaves: `first row in order of day`."""
    count = "row" if rel.n == 1 else f"{say(rel.n)} rows"
    skipped = f" after {say(rel.offset)}" if rel.offset else ""
    plain = say.loose().but(uses_names=False)
    is_sorted = isinstance(rel.parent, ops.Sort)
    order = f" in order of {plain.several(rel.parent.keys)}" if is_sorted else ""
    return f"first {count}{skipped}{order}"


def is_natural(predicate: ops.Value) -> bool:
    """Tell whether a condition of a join is that columns of one name are the same."""
    match predicate:
        case ops.Equals(left=ops.Field(name=left), right=ops.Field(name=right)):
            return bool(left == right)
    return False


def is_obvious(predicate: ops.Value) -> bool:
    """Tell whether a condition of a join goes without saying: of one name, or with a group."""
    if is_natural(predicate):
        return True
    return isinstance(predicate, ops.Equals) and any(
        isinstance(each, ops.Field) and isinstance(each.rel, ops.Aggregate)
        for side in (predicate.left, predicate.right)
        for each in copied(side)
        if not is_metric(each)
    )


def _filtered(say: Say, rel: ops.Filter) -> Rows:
    base, conditions = parts_of_rows(say, rel.parent)
    return base, [*conditions, *(conjunct(say, each) for each in rel.predicates)]


def _without_nulls(say: Say, rel: ops.DropNull) -> Rows:
    base, conditions = parts_of_rows(say, rel.parent)
    columns = rel.subset or [ops.Field(rel.parent, name) for name in rel.schema.names]
    tests = [f"{say.loose()(each)} is not null" for each in columns]
    found = tests if rel.how == "any" else [f"({' or '.join(tests)})"]
    return base, [*conditions, *found]


def _grouped(say: Say, rel: ops.Aggregate) -> Rows:
    named = say.but(uses_names=not say.path)
    keys = keys_text(named, (ops.Field(rel, name) for name in rel.groups))
    rows = _enclosed(rows_text(say.within(rel), rel.parent))
    return (f"{rows} grouped by {keys}" if keys else f"one row for all of {rows}"), []


def _joined(say: Say, chain: ops.JoinChain) -> Rows:
    base, conditions = parts_of_rows(say, chain.first)
    for link in chain.rest:
        words = JOINS.get(link.how, f"{link.how} joined with {{}}")
        other, its = parts_of_rows(say, link.table)
        if link.how == "inner":
            conditions = [*conditions, *its]
        else:
            other += _where(its)
        on = [_pair(say, each) for each in link.predicates]
        matched = f" on {' and '.join(on)}" if on and not say.is_brief else ""
        base = f"{base}\n{words.format(_enclosed(other))}{matched}"
    return base, conditions


def _of_parts(say: Say, rel: ops.Relation) -> Iterator[str]:
    """Yield the rows of each part of a union."""
    if isinstance(rel, ops.Union):
        for side in (rel.left, rel.right):
            yield from _of_parts(say.but(path=(*say.path, side)), side)
    else:
        yield _enclosed(rows_text(say, rel))


def _pair(say: Say, predicate: ops.Value) -> str:
    return predicate.left.name if is_natural(predicate) else conjunct(say, predicate)


JOINS: Mapping[str, str] = {
    "inner": "joined with {}",
    "left": "left joined with {}",
    "cross": "combined with each row of {}",
    "semi": "that have a row in {}",
    "anti": "that have no row in {}",
}
RELATIONS: tuple[tuple[type[Any] | tuple[type[Any], ...], Callable[[Say, Any], Rows]], ...] = (
    # Before tables: in Ibis, a view is one, too.
    (ops.AliasedRelation, lambda say, rel: parts_of_rows(say, rel.parent)),
    (ops.PhysicalTable, lambda _, rel: (str(rel.name), [])),
    (
        ops.Reference,
        lambda say, rel: parts_of_rows(say.but(path=(*say.path, rel)), rel.parent),
    ),
    (ops.Filter, _filtered),
    (ops.DropNull, _without_nulls),
    (
        (ops.Project, ops.DropColumns, ops.FillNull, ops.Sort),
        lambda say, rel: parts_of_rows(say, rel.parent),
    ),
    (ops.JoinChain, _joined),
    (ops.Aggregate, _grouped),
    (
        ops.Limit,
        lambda say, rel: (f"the {limited(say, rel)} of {rows_text(say, rel.parent)}", []),
    ),
    (ops.Distinct, lambda say, rel: (f"the distinct rows of {rows_text(say, rel.parent)}", [])),
    (ops.Union, lambda say, rel: ("\nand ".join(_of_parts(say, rel)), [])),
)
"""How the rows of each kind of relation are said; the first kind that fits applies."""


def _where(conditions: Iterable[str]) -> str:
    text = " and ".join(conditions)
    return f" where {text}" if text else ""


def _in_line(text: str) -> str:
    return text.replace("\n", " ")


def _enclosed(rows: str) -> str:
    text = _in_line(rows)
    return f"({text})" if " " in text else text
