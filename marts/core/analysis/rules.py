"""The rules for what engines would compute differently, and their conditions.

A rule looks at single operations, not at values: it flags a denominator even if a filter excludes
0. Where Ibis infers a wrong type for an expression, a rule uses the engines' type.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ibis.expr.operations as ops

from marts.core.analysis.lineage import resolved_operation
from marts.core.analysis.nodes import first_below
from marts.core.analysis.precision import is_float, precision_and_scale
from marts.core.authoring.tables import Mart, Source

NOT_REPEATABLE = ("clock", "random")
"""The rules of expressions that differ from run to run, so that no check holds for their rows."""


@dataclass(frozen=True)
class Finding:
    """What engines would compute differently in a mart or check, where, and how to change it."""

    table: str
    rule: str
    message: str
    location: str
    hint: str

    def __str__(self) -> str:
        return f"{self.table}: {self.message}\n  {self.location}\n  hint: {self.hint}"


@dataclass(frozen=True)
class Rule:
    """One kind of mistake; its message may have `{op}`, and `{types}` of the operands.

    Its hint may have `{digits}`, those that a decimal has behind the point.
    """

    name: str
    applies_to: tuple[type[ops.Node], ...]
    message: str
    hint: str
    is_wrong: Callable[[Any], bool] = lambda _: True

    def finding(self, op: ops.Node, table: Source | Mart, location: str) -> Finding:
        """Return the finding for an operation that breaks the rule."""
        name = getattr(op, "name", type(op).__name__)
        short = name if len(name) <= 60 else f"{name[:59]}…"
        types = " and ".join(str(operand.dtype) for operand in _operands(op))
        digits = getattr(op.dtype, "scale", None) if isinstance(op, ops.Value) else None
        return Finding(
            table.name,
            self.name,
            self.message.format(op=short, types=types),
            location,
            self.hint.replace("{digits}", str(digits)),
        )


def _operands(op: ops.Node) -> list[ops.Value]:
    found = (getattr(op, name, None) for name in ("arg", "left", "right"))
    return [operand for operand in found if isinstance(operand, ops.Value)]


def _none_is_float(op: ops.Value) -> bool:
    return not any(map(is_float, _operands(op)))


def _is_unguarded(division: ops.Binary) -> bool:
    by = resolved_operation(division.right)
    while isinstance(by, ops.Cast):
        by = resolved_operation(by.arg)
    match by:
        case ops.Literal():
            return by.value is not None and not by.value
        case ops.NullIf(null_if_expr=ops.Literal(value=value)):
            return bool(value != 0)
        case _:
            return True


def _is_week(op: ops.Value) -> bool:
    match op:
        case ops.DateTruncate() | ops.TimestampTruncate():
            return bool(op.unit.name == "WEEK")
        case ops.DateDelta() | ops.TimestampDelta():
            return getattr(op.part, "value", None) == "week"
        case _:
            return True


def _is_unsorted(limit: ops.Limit) -> bool:
    rel = first_below(limit.parent, (ops.Project, ops.Filter, ops.DropColumns))
    return not isinstance(rel, ops.Sort)


def is_mistyped(op: ops.Value) -> bool:
    """Tell whether engines give an expression a type other than Ibis infers."""
    op = resolved_operation(op)
    if isinstance(op, (ops.Sum, ops.DateTruncate, *STATISTICS)):
        return not is_float(op)
    arithmetic = (ops.Add, ops.Subtract, ops.Multiply, ops.Divide, ops.Modulus, ops.Round)
    return isinstance(op, arithmetic) and not is_float(op) and not op.dtype.is_integer()


# The directives that write digits, which Ibis translates for each engine.
NUMERALS = re.compile("%[YmdHMSy]")


def _has_words(op: ops.Strftime) -> bool:
    """Tell whether a format writes names, or has letters that Snowflake takes for directives."""
    form = op.format_str
    return not isinstance(form, ops.Literal) or bool(
        re.search(r'[^\W\d_]|[%"]', NUMERALS.sub("", form.value))
    )


def _is_shown_differently(cast: ops.Cast) -> bool:
    kind = cast.arg.dtype
    return bool(
        cast.to.is_string() and (kind.is_floating() or kind.is_timestamp() or kind.is_time())
    )


def _loses_digits(cast: ops.Cast) -> bool:
    if not cast.to.is_decimal() or isinstance(cast.arg, ops.Round):
        return False
    digits = precision_and_scale(cast.arg)
    return is_float(cast.arg) or bool(digits and digits[1] > cast.to.scale)


SCALE_OF_PRODUCTS = 12
"""The scale that Snowflake gives a product, unless an operand has a larger one."""


def _is_cut(product: ops.Multiply) -> bool:
    left, right = precision_and_scale(product.left), precision_and_scale(product.right)
    if left is None or right is None:
        return False
    return left[1] + right[1] > max(left[1], right[1], SCALE_OF_PRODUCTS)


LONG_LITERAL = 10
"""A literal with this many digits leaves fewer than half of DuckDB's 18 to the other operand."""


def _has_long_literal(op: ops.Binary) -> bool:
    sides = (resolved_operation(op.left), resolved_operation(op.right))
    literals = [each for each in sides if isinstance(each, ops.Literal)]
    if len(literals) != 1 or any(is_float(each) for each in sides):
        return False
    digits = precision_and_scale(literals[0])
    return bool(literals[0].dtype.is_floating()) and (digits is None or digits[0] >= LONG_LITERAL)


STATISTICS = (
    *(ops.Mean, ops.Median, ops.ApproxMedian, ops.Quantile, ops.ApproxQuantile),
    *(ops.MultiQuantile, ops.ApproxMultiQuantile, ops.Variance, ops.StandardDev),
    *(ops.Covariance, ops.Correlation, ops.Kurtosis),
)

UNORDERED = Rule(
    "total_order",
    (),
    "{op} over rows whose order is not total: which of tied rows is first depends on the engine",
    'ibis.window(group_by=…, order_by=…) with columns that identify a row: order_by=["day", "key"]',
)
NULLS = Rule(
    "skipped_null",
    (),
    "{op} of a value that may be null: DuckDB skips nulls, Snowflake returns null",
    "fill them first: ibis.greatest(a.fill_null(0), b); or filter on notnull()",
)
FAN_OUT = Rule(
    "repeated_sum",
    (),
    "{op} adds up rows that a join repeats: once for each row that they match",
    "aggregate the other table to one row per key before the join; or, if that is meant,"
    ' @mart(many_to_many="why")',
)
DROPPED_CAST = Rule(
    "dropped_cast",
    (),
    "Ibis dropped the cast of {op}, which has that type for Ibis, but not on the engines",
    "write ibis.expr.operations.Cast(value, dtype).to_expr(); columns of the contract are cast"
    " anyway, without .cast(…)",
)
RULES = (
    Rule(
        "statistic",
        STATISTICS,
        "{op} is a statistic of {types}, which engines round to different scales",
        'cast first: amount.cast("float64").mean()',
        _none_is_float,
    ),
    Rule(
        "division",
        (ops.Divide, ops.FloorDivide),
        "{op} divides {types}: floats on DuckDB, rounded to 6 digits on Snowflake",
        "ratio(numerator, denominator) of the package marts; it divides in float64",
        _none_is_float,
    ),
    Rule(
        "denominator",
        (ops.Divide, ops.FloorDivide, ops.Modulus),
        "{op} may divide by 0: infinity or null on DuckDB, an error on Snowflake",
        "ratio(numerator, denominator), or denominator.nullif(0)",
        _is_unguarded,
    ),
    Rule(
        "interval",
        (
            *(ops.DateAdd, ops.DateSub, ops.DateDiff, ops.IntervalBinary),
            *(ops.TimestampAdd, ops.TimestampSub, ops.TimestampDiff, ops.TimestampBucket),
        ),
        "{op} calculates with an interval, whose type differs by engine",
        'bounds from as_of: as_of.minus(days=90); differences as a.delta(b, unit="day")',
    ),
    Rule(
        "clock",
        (ops.TimestampNow, ops.DateNow),
        "{op} differs from run to run",
        "take the day from the parameter as_of: as_of.date",
    ),
    Rule(
        "random",
        (ops.RandomScalar, ops.RandomUUID, ops.Sample),
        "{op} differs from run to run",
        "choose rows by their key: the same data must give the same mart",
    ),
    Rule(
        "any_row",
        (ops.First, ops.Last, ops.Arbitrary, ops.Mode),
        "{op} takes any row, and is an ARRAY_AGG with JSON's quotes on Snowflake",
        "min() or max(), or filter on ibis.row_number() over a total order; distinct() without on=",
    ),
    Rule(
        "any_row",
        (ops.Limit,),
        "limit takes any rows of a table that is not sorted",
        "order_by(…) before limit(…)",
        _is_unsorted,
    ),
    Rule(
        "regex",
        (ops.RegexSearch, ops.RegexExtract, ops.RegexReplace, ops.RegexSplit),
        "{op} is a regular expression, whose syntax and anchors differ by engine",
        "like(…), contains(…), startswith(…) or isin(…)",
    ),
    Rule(
        "week",
        (
            ops.ExtractWeekOfYear,
            ops.ExtractIsoYear,
            ops.DateTruncate,
            ops.TimestampTruncate,
            ops.DateDelta,
            ops.TimestampDelta,
        ),
        "{op} counts weeks, which begin and are numbered differently by engine",
        "count days or months; seven days are as_of.minus(days=7)",
        _is_week,
    ),
    Rule(
        "try_cast",
        (ops.TryCast,),
        "{op} becomes a plain CAST on Snowflake, which fails on bad text",
        "cast a column whose values are checked: .cast(…), and a row_check on the source",
    ),
    Rule(
        "float_to_integer",
        (ops.Cast,),
        "{op} rounds halves to even on DuckDB, away from zero on Snowflake",
        "use .floor(), .ceil() or .round()",
        lambda op: op.to.is_integer() and op.arg.dtype.is_floating(),
    ),
    Rule(
        "nested",
        (ops.Value,),
        "{op} is {types} or makes one of it: a VARIANT on Snowflake",
        "one column for each value, or a table of its own",
        lambda op: op.dtype.is_nested() or op.dtype.is_json(),
    ),
    Rule(
        "zone",
        (ops.Cast, ops.Literal, ops.StringToTimestamp),
        "{op} is a timestamp with a zone, which engines show in the session's",
        "timestamps without zone, in UTC",
        lambda op: getattr(op.dtype, "timezone", None) is not None,
    ),
    Rule(
        "hash",
        (ops.Hash,),
        "{op} is another number on each engine, and in another version of it",
        "join or group by the columns themselves; a key that must stay is a column of the source",
    ),
    Rule(
        "names_in_dates",
        (ops.Strftime,),
        "{op} writes names or words, which engines spell differently or take for directives",
        "%Y, %m, %d, %H, %M and %S alone; names by .month().cases((1, 'January'), …)",
        _has_words,
    ),
    Rule(
        "text_of_a_number",
        (ops.Cast,),
        "{op} makes a text of {types}: 20.0 on DuckDB is 20 on Snowflake, and seconds have other"
        " digits",
        "text of whole numbers, decimals and dates: .cast('decimal(18, 2)').cast('string'),"
        " .date().cast('string'), .strftime('%Y-%m-%d %H:%M:%S')",
        _is_shown_differently,
    ),
    Rule(
        "fewer_digits",
        (ops.Cast,),
        "{op} rounds {types} to fewer digits; which way, and what does not fit, is the engine's",
        "use .round({digits}) before the cast; compare a float without a cast",
        _loses_digits,
    ),
    Rule(
        "cut_product",
        (ops.Multiply,),
        "{op} has more digits behind the point on DuckDB than on Snowflake, which keeps 12",
        "cast both operands to float64, or one to fewer digits",
        _is_cut,
    ),
    Rule(
        "long_literal",
        (ops.Add, ops.Subtract, ops.Multiply),
        "{op} combines {types}: engines take the literal for a decimal or a float, by its digits,"
        " and the 18 digits of DuckDB's decimals do not suffice",
        'cast the other operand first: amount.cast("float64") * 0.123456789; or round the literal',
        _has_long_literal,
    ),
)
