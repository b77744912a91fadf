"""Turn the options of `marts show` and `marts export` into a query that cannot change anything."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import sqlglot
import sqlglot.errors
import sqlglot.expressions as sge

from marts.core.authoring.tables import Mart
from marts.core.errors import UsageError, did_you_mean

# What a condition may consist of. It lists what is allowed, because the list of harmful features
# grows with each engine: subqueries, table functions, settings, commands.
ALLOWED = (
    sge.Column,
    sge.Identifier,
    sge.Literal,
    sge.Boolean,
    sge.Null,
    sge.Paren,
    sge.Tuple,
    sge.Unary,
    sge.Binary,
    sge.Predicate,
    sge.Case,
    sge.If,
    sge.Cast,
    sge.DataType,
    sge.DataTypeParam,
    sge.Interval,
    sge.Var,
    sge.Abs,
    sge.Coalesce,
    sge.Length,
    sge.Lower,
    sge.Round,
    sge.Trim,
    sge.Upper,
)

COUNT = "rows"
DEEPEST = 200
"""How deep expressions may be nested; engines slow down, and then fail, for deeper ones."""
LONGEST_QUOTE = 200
"""How many characters of a condition an error quotes."""


def lookup(
    mart: Mart,
    *,
    where: str | None = None,
    columns: Iterable[str] = (),
    order_by: Iterable[str] = (),
    limit: int | None,
) -> sge.Select:
    """Return `select columns from mart where … order by … limit …`, all columns by default.

    `order_by` has names of columns, each optionally followed by `asc` or `desc`; the grain follows
    them, so that a limit always takes the same rows. Nulls come last. Without `order_by` and a
    limit there is no order. Raises UsageError for a name that is not a column, and for a condition
    that is not one plain condition.
    """
    names = columns_named(mart, columns) or _names(mart)
    query = sge.select(*(_column(mart, name) for name in names))
    query = query.from_(sge.table_(mart.name, quoted=True))
    if where is not None:
        query = query.where(_condition(mart, where))
    ordering = [_ordering(mart, words) for words in order_by]
    if ordering or limit is not None:
        known = {each.this.name for each in ordering}
        ordering += [_ordering(mart, name) for name in mart.grain if name not in known]
    query = query.order_by(*ordering) if ordering else query
    return query if limit is None else query.limit(limit)


def columns_named(mart: Mart, names: Iterable[str]) -> list[str]:
    """Return columns by their own names; raise UsageError for one that is unknown, or repeated."""
    found = [_column(mart, name).name for name in names]
    if repeated := [name for name in found if found.count(name) > 1]:
        raise UsageError(f"--columns names {repeated[0]} twice")
    return found


def count(mart: Mart, *, where: str | None = None) -> sge.Select:
    """Return the query that counts rows of a mart: one row with the column `COUNT`."""
    rows = sge.Count(this=sge.Star()).as_(COUNT, quoted=True)
    query = sge.select(rows).from_(sge.table_(mart.name, quoted=True))
    return query if where is None else query.where(_condition(mart, where))


def _names(mart: Mart) -> list[str]:
    return [column.name for column in mart.columns]


def _column(mart: Mart, name: str, *, otherwise: str = "") -> sge.Column:
    known = {each.lower(): each for each in _names(mart)}
    if name.lower() not in known:
        raise UsageError(
            f"{mart.name} has no column {name}",
            hint=did_you_mean(name, known)
            or f"{otherwise}its columns: {', '.join(known.values())}",
        )
    return sge.column(known[name.lower()], quoted=True)


def _condition(mart: Mart, where: str) -> sge.Expression:
    if any("\ud800" <= character <= "\udfff" for character in where):
        raise UsageError("--where is not valid text in this terminal's encoding")
    try:
        statements = sqlglot.parse(where, dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise UsageError(
            f"--where is not valid SQL: {_shortened(where)}",
            hint="write it as in SQL: age > 40 and city = 'Rom'",
        ) from error
    except RecursionError:
        raise _too_deep(where) from None
    condition = statements[0] if len(statements) == 1 else None
    if condition is None:
        raise UsageError(f"--where takes one condition: {_shortened(where)}")
    if _depth(condition) > DEEPEST:
        raise _too_deep(where)
    for node in condition.walk():
        if not isinstance(node, ALLOWED):
            raise UsageError(
                f"--where may only compare columns of {mart.name} with values",
                f"not allowed: {_shortened(node.sql('duckdb'))}",
                hint="of functions it may use abs, coalesce, length, lower, round, trim and upper",
            )
        if isinstance(node, sge.Column) and node.table.lower() not in ("", mart.name):
            raise UsageError(f"--where may only name columns of {mart.name}: {node.sql('duckdb')}")
    _refuse_misspelt_values(mart, condition)
    return condition.transform(
        lambda node: (
            _column(mart, node.name, otherwise=f"a text needs quotes, '{node.name}'; ")
            if isinstance(node, sge.Column)
            else node
        )
    )


def _refuse_misspelt_values(mart: Mart, condition: sge.Expr) -> None:
    """Raise UsageError for a text that is compared with a label and looks much like one.

    Such a comparison holds for no row, or, negated, for all of them. A text that is like none of
    the declared labels may be one that an earlier version of the mart had.
    """
    labels = {
        (column.name.lower(), _folded(value)): value
        for column in mart.columns
        for value in column.values
    }
    exact = {(column.name.lower(), value) for column in mart.columns for value in column.values}
    for node in condition.find_all(sge.EQ, sge.NEQ, sge.In):
        operands = [node.this, node.args.get("expression"), *node.args.get("expressions", ())]
        columns = [each.name.lower() for each in operands if isinstance(each, sge.Column)]
        texts = [each.this for each in operands if isinstance(each, sge.Literal) and each.is_string]
        for column, text in product(columns, texts):
            meant = labels.get((column, _folded(text)))
            if meant is not None and (column, text) not in exact:
                raise UsageError(
                    f"--where compares {column} with '{_shortened(text)}', which it never is",
                    hint=f"did you mean '{meant}'?",
                )


def _folded(text: str) -> str:
    return text.strip().casefold()


def _depth(condition: sge.Expr) -> int:
    """Return how deep expressions are nested; the operands of `a and b and c` are on one level."""
    deepest, stack = 0, [(condition, 1)]
    while stack:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        for child in node.iter_expressions():
            is_same_level = isinstance(node, sge.Connector) and type(child) is type(node)
            stack.append((child, depth if is_same_level else depth + 1))
    return deepest


def _too_deep(where: str) -> UsageError:
    return UsageError(
        f"--where is nested too deeply: {_shortened(where)}",
        hint="leave out parentheses, or split it",
    )


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"


def _ordering(mart: Mart, words: str) -> sge.Ordered:
    name, _, direction = words.strip().partition(" ")
    if direction.strip().lower() not in ("", "asc", "desc"):
        raise UsageError(
            f"--order-by takes a column, then asc or desc: {words}",
            hint=f'--order-by "{name} desc"',
        )
    return sge.Ordered(
        this=_column(mart, name), desc=direction.strip().lower() == "desc", nulls_first=False
    )
