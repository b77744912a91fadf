"""Operations in words, for readers who know SQL: what `Wording` says of each kind of them."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import ibis.expr.operations as ops

from marts.core.analysis.row_words import keys_text, rows_text
from marts.core.analysis.saying import Say
from marts.core.authoring.expressions import mean, sample_stddev

Words = Callable[[Say, Any], str]

# Levels of precedence: an operand of a lower level is put in parentheses.
PHRASE, OR, XOR, AND, NOT, COMPARISON, SUM, PRODUCT, SIGN, ATOM = range(10)

SIGNS: Mapping[type[ops.Node], tuple[str, int]] = {
    ops.Or: ("or", OR),
    ops.Xor: ("xor", XOR),
    ops.And: ("and", AND),
    ops.Equals: ("=", COMPARISON),
    ops.NotEquals: ("!=", COMPARISON),
    ops.IdenticalTo: ("is not distinct from", COMPARISON),
    ops.Greater: (">", COMPARISON),
    ops.GreaterEqual: (">=", COMPARISON),
    ops.Less: ("<", COMPARISON),
    ops.LessEqual: ("<=", COMPARISON),
    ops.Add: ("+", SUM),
    ops.Subtract: ("-", SUM),
    ops.DateAdd: ("+", SUM),
    ops.DateSub: ("-", SUM),
    ops.TimestampAdd: ("+", SUM),
    ops.TimestampSub: ("-", SUM),
    ops.StringConcat: ("||", SUM),
    ops.Multiply: ("*", PRODUCT),
    ops.Divide: ("/", PRODUCT),
    ops.Modulus: ("%", PRODUCT),
}
ASSOCIATIVE = (ops.And, ops.Or, ops.StringConcat)
STRICT = (
    *(ops.Add, ops.Subtract, ops.Multiply, ops.Divide, ops.Negate, ops.Sqrt, ops.Abs, ops.Round),
    *(ops.Cast, ops.Alias),
)
"""Operations that are null if an operand is, so that a note on it may stand at the end."""


def level_of(op: ops.Value) -> int:
    """Return the level of precedence of an operation's words."""
    if type(op) in SIGNS and not is_numbering(op):
        return SIGNS[type(op)][1]
    for kinds, level in LEVELS:
        if isinstance(op, kinds):
            return level
    return PHRASE if is_numbering(op) else ATOM


DELTAS = (ops.DateDelta, ops.TimestampDelta, ops.TimeDelta)
TRUNCATES = (ops.DateTruncate, ops.TimestampTruncate)
LEVELS: tuple[tuple[tuple[type[ops.Node], ...], int], ...] = (
    ((ops.WindowFunction, ops.ScalarSubquery, *DELTAS, *TRUNCATES), PHRASE),
    ((ops.Not,), NOT),
    ((ops.IsNull, ops.NotNull, ops.Between, ops.InValues, ops.InSubquery), COMPARISON),
    ((ops.Negate,), SIGN),
)


def is_numbering(op: ops.Value) -> bool:
    """Tell whether a value is a rank from 1; the ranks of Ibis start at 0."""
    match op:
        case ops.Add(left=ops.WindowFunction(func=ops.RankBase()), right=ops.Literal(value=1)):
            return True
    return False


def _infix(say: Say, op: Any) -> str:
    if is_numbering(op):
        return _numbers(say, op.left, start=1)
    if isinstance(op, ops.Divide):
        return _quotient(say, op)
    if isinstance(op, ops.Comparison) and (text := say.known_comparison(op)):
        return text
    sign, level = SIGNS[type(op)]
    operands = op.arg if isinstance(op, ops.StringConcat) else (op.left, op.right)
    inside = say if isinstance(op, (*STRICT, ops.And, ops.Or)) else say.loose()
    if isinstance(op, ops.Comparison) and not isinstance(op, ops.IdenticalTo):
        inside = say.but(is_condition=False)
    texts = [
        inside.operand(each, _needed(inside, op, n, each, level)) for n, each in enumerate(operands)
    ]
    return f" {sign} ".join(texts)


def _needed(say: Say, op: ops.Value, n: int, operand: ops.Value, level: int) -> int:
    """Return the level that an operand needs to stand without parentheses."""
    if isinstance(op, ASSOCIATIVE) and type(say.core(operand)) is type(op):
        return level
    if isinstance(op, ops.Or):
        # Not everybody knows that `and` comes first.
        return NOT
    return level + (n > 0 or level == COMPARISON)


def _floor_quotient(say: Say, op: ops.FloorDivide) -> str:
    return f"floor({_parts_of_quotient(say, op)})"


def _quotient(say: Say, op: ops.Divide) -> str:
    found = as_reduction(op)
    return _reduction_inline(say, found) if found else _parts_of_quotient(say, op)


def _parts_of_quotient(say: Say, op: ops.Divide) -> str:
    left, right = say.operand(op.left, PRODUCT), op.right
    core = say.core(right)
    if isinstance(core, ops.NullIf) and _is_zero(core.null_if_expr) and say.is_strict:
        at, _ = say.at(right)
        at.guard(core.arg, core.null_if_expr)
        return f"{left} / {at.operand(core.arg, SIGN, default=core.null_if_expr)}"
    return f"{left} / {say.operand(right, SIGN)}"


def _is_zero(op: ops.Value) -> bool:
    return isinstance(op, ops.Literal) and op.value == 0 and not isinstance(op.value, bool)


def _literal(say: Say, op: ops.Literal) -> str:
    value = op.value
    if op.dtype.is_interval():
        return _interval(str(value), op.dtype.unit.name)
    for kinds, words in VALUES:
        if isinstance(value, kinds):
            return words(say, value)
    return str(value)


VALUES: tuple[tuple[type[Any] | tuple[type[Any], ...], Words], ...] = (
    (type(None), lambda *_: "null"),
    (bool, lambda _, value: str(value).lower()),
    (str, lambda _, value: "'" + value.replace("'", "''") + "'"),
    # Before dates: in Python, a datetime is one, too.
    (datetime.datetime, lambda _, value: f"'{value}'"),
    (datetime.date, lambda say, value: say.day(value)),
    (
        float,
        lambda _, value: (
            str(int(value)) if value.is_integer() and abs(value) < 1e15 else str(value)
        ),
    ),
    (Decimal, lambda _, value: f"{value:f}"),
)


def _interval(text: str, unit: str) -> str:
    return f"{text} {unit.lower()}{'' if text == '1' else 's'}"


def _case_inline(say: Say, op: Any) -> str:
    say = say.loose()
    branches, default = branches_of(op)
    texts = [f"when {say.condition(test)} then {say(value)}" for test, value in branches]
    return f"case {' '.join(texts)} else {say(default)} end"


def branches_of(op: Any) -> tuple[list[tuple[ops.Value, ops.Value]], ops.Value]:
    """Return the conditions of a case with their values, and the value if none holds."""
    match op:
        case ops.IfElse():
            return [(op.bool_expr, op.true_expr)], op.false_null_expr
        case ops.SimpleCase():
            tests = [ops.Equals(op.base, each) for each in op.cases]
            return list(zip(tests, op.results, strict=True)), op.default
    return list(zip(op.cases, op.results, strict=True)), op.default


# Aggregates

REDUCTIONS: Mapping[type[ops.Node], tuple[str, str]] = {
    ops.Sum: ("sum of {}", "sum({})"),
    ops.Mean: ("average of {}", "avg({})"),
    ops.Min: ("min of {}", "min({})"),
    ops.Max: ("max of {}", "max({})"),
    ops.Count: ("number of non-null {}", "count({})"),
    ops.CountStar: ("number of rows", "count(*)"),
    ops.CountDistinct: ("number of distinct {}", "count(distinct {})"),
    ops.Median: ("median of {}", "median({})"),
    ops.Any: ("whether {} for any row", "any({})"),
    ops.All: ("whether {} for every row", "every({})"),
}
DEVIATIONS: Mapping[tuple[type[ops.Node], str], tuple[str, str]] = {
    (ops.StandardDev, "sample"): ("sample standard deviation of {}", "stddev_samp({})"),
    (ops.StandardDev, "pop"): ("population standard deviation of {}", "stddev_pop({})"),
    (ops.Variance, "sample"): ("sample variance of {}", "var_samp({})"),
    (ops.Variance, "pop"): ("population variance of {}", "var_pop({})"),
}


def reduction(say: Say, op: Any, *, alone: bool) -> tuple[str, str]:
    """Return an aggregate in words, and the condition on its rows, if any.

    An aggregate that is the whole definition is said `alone`, as in `sum of amount`.
    """
    inside = say.loose()
    forms = REDUCTIONS.get(type(op)) or DEVIATIONS.get((type(op), getattr(op, "how", "")))
    where = inside.condition(op.where) if getattr(op, "where", None) is not None else ""
    if forms is None:
        return say.in_general(op), ""
    if isinstance(op, ops.Sum) and op.arg.dtype.is_boolean():
        forms = REDUCTIONS[ops.CountStar]
        where = " and ".join(filter(None, (inside.condition(op.arg), where)))
    argument = "" if isinstance(op, ops.CountStar) else inside(op.arg)
    return forms[0 if alone else 1].format(argument), where


def _reduction_inline(say: Say, op: Any) -> str:
    text, where = reduction(say, op, alone=False)
    return f"{text[:-1]} where {where})" if where else text


def _root(say: Say, op: ops.Sqrt) -> str:
    found = as_reduction(op)
    return _reduction_inline(say, found) if found else f"sqrt({say(op.arg)})"


def as_reduction(op: ops.Value) -> ops.StandardDev | ops.Mean | None:
    """Return the standard deviation or the mean that exact sums compute, by our own arithmetic."""
    if isinstance(op, ops.Sqrt):
        for count in op.find(ops.Count, filter=ops.Value):
            if count.arg.dtype.is_decimal() and _deviation_of(count.arg) == op:
                return ops.StandardDev(count.arg, how="sample", where=None)
    if isinstance(op, ops.Divide):
        for count in op.right.find(ops.Count, filter=ops.Value):
            if count.arg.dtype.is_floating() and mean(count.arg.to_expr()).op() == op:
                return ops.Mean(count.arg, where=None)
    return None


def _deviation_of(arg: ops.Value) -> ops.Value | None:
    try:
        return sample_stddev(arg.to_expr()).op()
    except TypeError:
        return None


# Windows

NUMBERS: Mapping[type[ops.Node], str] = {
    ops.RowNumber: "row number",
    ops.MinRank: "rank",
    ops.DenseRank: "dense rank",
}
SHIFTS: Mapping[type[ops.Node], str] = {ops.Lag: "previous", ops.Lead: "next"}


def _window(say: Say, op: ops.WindowFunction) -> str:
    say = say.loose()
    func = op.func
    if type(func) in NUMBERS:
        return _numbers(say, op, start=0)
    if type(func) in SHIFTS and func.offset is None and func.default is None:
        text = f"{SHIFTS[type(func)]} {say.operand(func.arg, ATOM)}"
    else:
        text = say.operand(func, ATOM)
    return text + _partition(say, op) + "".join(_frame(say, op)) + _order(say, op)


def _numbers(say: Say, op: ops.WindowFunction, *, start: int) -> str:
    text = NUMBERS.get(type(op.func)) or say.in_general(op.func)
    from_zero = "" if start else " from 0"
    return text + from_zero + _partition(say, op) + _order(say, op)


def _partition(say: Say, op: ops.WindowFunction) -> str:
    if op.group_by:
        return f" by {keys_text(say, op.group_by)}"
    is_whole = isinstance(op.func, ops.Reduction) and not (op.start or op.end)
    return " over all rows" if is_whole else ""


def _order(say: Say, op: ops.WindowFunction) -> str:
    if isinstance(op.func, ops.Reduction) and not (op.start or op.end):
        # Such a window has all rows, whatever their order.
        is_ordered = isinstance(op.func, ops.First | ops.Last)
        return f" in order of {say.several(op.order_by)}" if is_ordered and op.order_by else ""
    return f" in order of {say.several(op.order_by)}" if op.order_by else ""


def _frame(say: Say, op: ops.WindowFunction) -> Iterator[str]:
    if not (op.start or op.end):
        return
    unit = "" if op.how == "rows" else " in value"
    first = _bound(say, op.start) if op.start else "the first row"
    last = _bound(say, op.end) if op.end else "the last row"
    yield f" from {first} to {last}{unit}"


def _bound(say: Say, bound: ops.WindowBoundary) -> str:
    if isinstance(bound.value, ops.Literal) and bound.value.value == 0:
        return "this row"
    return f"{say(bound.value)} {'before' if bound.preceding else 'after'}"


# Dates

FIRST_DAYS = ("YEAR", "QUARTER", "MONTH", "WEEK")


def _delta(say: Say, op: Any) -> str:
    part = op.part.value if isinstance(op.part, ops.Literal) else None
    if part is None:
        return say.in_general(op)
    is_days = part == "day" and isinstance(op, ops.DateDelta)
    counted = "days" if is_days else f"{part} boundaries crossed"
    return f"{counted} from {say.operand(op.right, SUM)} to {say.operand(op.left, SUM)}"


def _truncate(say: Say, op: Any) -> str:
    unit, text = op.unit.name, say.operand(op.arg, SUM)
    if unit in FIRST_DAYS:
        return f"first day of the {unit.lower()} of {text}"
    return f"{text} truncated to the {unit.lower()}"


def _cast(say: Say, op: ops.Cast) -> str:
    text = say(op.arg)
    if op.to.is_date() and op.arg.dtype.is_timestamp():
        return f"date({text})"
    if op.to.is_decimal() and op.arg.dtype.is_decimal():
        return f"round({text}, {op.to.scale})"
    return f"cast({text} as {op.to})"


# Subqueries


def _scalar(say: Say, op: ops.ScalarSubquery) -> str:
    inside = say.below(op)
    (name,) = op.rel.schema.names
    return inside.inline(ops.Field(op.rel, name))


def _member(say: Say, op: ops.InSubquery) -> str:
    (name,) = op.rel.schema.names
    inside = say.below(op)
    column, rows = inside(ops.Field(op.rel, name)), rows_text(inside, op.rel)
    return f"{say.operand(op.needle, SUM)} in ({column} of {rows})"


def _named(name: str) -> Words:
    return lambda say, op: f"{name}({say.loose().several(op.args)})"


WORDS: tuple[tuple[type[Any] | tuple[type[Any], ...], Words], ...] = (
    # Before division: in Ibis, this is one, too.
    (ops.FloorDivide, _floor_quotient),
    (tuple(SIGNS), _infix),
    (ops.Literal, _literal),
    (ops.Not, lambda say, op: f"not {say.loose().operand(op.arg, NOT)}"),
    (ops.Negate, lambda say, op: f"-{say.operand(op.arg, ATOM)}"),
    (ops.IsNull, lambda say, op: f"{say.loose().operand(op.arg, SUM)} is null"),
    (ops.NotNull, lambda say, op: f"{say.loose().operand(op.arg, SUM)} is not null"),
    ((ops.SearchedCase, ops.SimpleCase, ops.IfElse), _case_inline),
    (ops.WindowFunction, _window),
    ((*REDUCTIONS, ops.StandardDev, ops.Variance), _reduction_inline),
    (ops.Sqrt, _root),
    (DELTAS, _delta),
    (TRUNCATES, _truncate),
    (ops.Cast, _cast),
    (ops.Coalesce, lambda say, op: f"coalesce({say.loose().several(op.arg)})"),
    (ops.NullIf, _named("nullif")),
    (ops.Lowercase, _named("lower")),
    (ops.Uppercase, _named("upper")),
    (ops.Strip, _named("trim")),
    (ops.Round, lambda say, op: f"round({say(op.arg)}, {say(op.digits) if op.digits else 0})"),
    (ops.ExtractYear, lambda say, op: f"year({say(op.arg)})"),
    (ops.ExtractMonth, lambda say, op: f"month({say(op.arg)})"),
    (ops.ExtractQuarter, lambda say, op: f"quarter({say(op.arg)})"),
    (ops.ExtractDay, lambda say, op: f"day({say(op.arg)})"),
    (ops.IntervalFromInteger, lambda say, op: _interval(say(op.arg), op.unit.name)),
    (ops.SortKey, lambda say, op: say(op.arg) + ("" if op.ascending else " descending")),
    (ops.ScalarSubquery, _scalar),
    (ops.InSubquery, _member),
    (ops.ExistsSubquery, lambda say, op: f"exists ({rows_text(say.below(op), op.rel)})"),
)
"""How each kind of operation is said; the first kind that fits applies, else `Formatter`'s."""
