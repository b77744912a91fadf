"""Read a statement as Snowflake would, without an account: what it refuses, or runs otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any

import sqlglot
import sqlglot.expressions as sge
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import Schema

# What statements may consist of. A list of what is known to work, since what does not is endless:
# before an entry is added, somebody has read in Snowflake's manual what it does there.
REVIEWED = {
    # structure
    *(sge.Select, sge.From, sge.Subquery, sge.Join, sge.Where, sge.Group, sge.Order, sge.Ordered),
    *(sge.Limit, sge.Distinct, sge.Star, sge.Table, sge.TableAlias, sge.Alias, sge.Column),
    *(sge.Identifier, sge.Paren, sge.Exists),
    sge.Union,  # by the position of columns
    # values and types
    *(sge.Literal, sge.Null, sge.Boolean, sge.Cast, sge.DataType, sge.DataTypeParam, sge.Var),
    # predicates
    *(sge.And, sge.Or, sge.Not, sge.EQ, sge.NEQ, sge.LT, sge.LTE, sge.GT, sge.GTE, sge.Is, sge.In),
    sge.NullSafeEQ,  # IS NOT DISTINCT FROM: null is equal to null, and to nothing else
    # arithmetic
    *(sge.Add, sge.Sub, sge.Mul, sge.Div, sge.Neg, sge.Sqrt),
    # choice
    *(sge.Case, sge.If, sge.Coalesce, sge.Nullif),
    # text and dates
    *(sge.Concat, sge.Trim, sge.Lower, sge.Replace, sge.Translate),
    *(sge.DateFromParts, sge.DateDiff, sge.DateTrunc, sge.TimestampTrunc),
    sge.TimestampFromParts,  # without a zone: sessions have TIMESTAMP_TYPE_MAPPING = TIMESTAMP_NTZ
    # aggregates and windows
    *(sge.Count, sge.Sum, sge.Min, sge.Max, sge.Median, sge.Window, sge.Lag),
    sge.Avg,  # of a FLOAT, which gives a FLOAT
    sge.Round,  # half away from zero; of a FLOAT a FLOAT, of a NUMBER one of the scale
    *(sge.RowNumber, sge.DenseRank),
}

UNREVIEWED = "nobody has looked up what it does on Snowflake: look, then add it to REVIEWED"
OTHER_SCALE = "of a NUMBER is a NUMBER of another scale"
REASONS: tuple[tuple[tuple[type[sge.Expr], ...], str], ...] = (
    (
        (sge.Interval, sge.DateAdd, sge.DateSub, sge.TimestampAdd, sge.TsOrDsAdd, sge.TimeAdd),
        "interval arithmetic: bounds are constants of as_of",
    ),
    (
        (sge.JSONExtract, sge.GetExtract, sge.Bracket, sge.Struct, sge.ParseJSON, sge.ArrayAgg),
        "a VARIANT, whose text comes with JSON's quotes",
    ),
    ((sge.AnyValue, sge.First, sge.Last, sge.FirstValue, sge.LastValue), "takes any row"),
    (
        (sge.RegexpLike, sge.RegexpILike, sge.RegexpExtract, sge.RegexpReplace, sge.RegexpInstr),
        "a regular expression, anchored at both ends on Snowflake",
    ),
    (
        (sge.CurrentDate, sge.CurrentTimestamp, sge.CurrentTime, sge.Rand, sge.Uuid),
        "differs from run to run: the date is as_of",
    ),
    ((sge.Week, sge.WeekOfYear, sge.Extract), "weeks depend on WEEK_START; fields on the session"),
    ((sge.TryCast,), "takes text only on Snowflake"),
    ((sge.WindowSpec,), "Snowflake takes no frame for functions that number rows"),
    ((sge.Stddev, sge.Variance), OTHER_SCALE),
    ((sge.Anonymous,), "an unknown function"),
)

TYPES = {"VARCHAR", "BIGINT", "INT", "DOUBLE", "DECIMAL", "DATE", "BOOLEAN", "TIMESTAMPNTZ"}
FLOATS = {sge.DataType.Type.DOUBLE, sge.DataType.Type.FLOAT}


def _other_type(kind: sge.DataType) -> bool:
    return kind.this.name not in TYPES


def _is_guarded(division: sge.Div) -> bool:
    by = division.right.unnest()
    return isinstance(by, sge.Nullif) or (isinstance(by, sge.Literal) and float(by.name) != 0)


NOT_NUMBERS = ("nan", "inf", "-inf", "infinity")


def _is_compared(text: sge.Literal) -> bool:
    """Tell whether a text is cast to a float and compared: on Snowflake, NaN equals itself."""
    return isinstance(text.parent, sge.Cast) and isinstance(text.parent.parent, sge.EQ | sge.In)


# Of what is reviewed, the forms that are not.
PECULIAR: tuple[tuple[type[sge.Expr], Callable[[Any], bool], str], ...] = (
    (sge.DataType, _other_type, "TIMESTAMP is what the session says; others have no counterpart"),
    (sge.Star, lambda star: bool(star.args.get("except_")), "columns are named, not excluded"),
    (sge.Is, lambda test: isinstance(test.expression, sge.Boolean), "IS TRUE: a flag is itself"),
    (sge.Join, lambda join: join.kind in ("SEMI", "ANTI"), "Snowflake has no such join"),
    (sge.Join, lambda join: not join.args.get("on"), "a join without a condition"),
    (sge.Distinct, lambda distinct: bool(distinct.args.get("on")), "Snowflake has no DISTINCT ON"),
    (sge.Var, lambda unit: unit.name.upper().startswith("WEEK"), "weeks depend on WEEK_START"),
    (
        sge.Literal,
        lambda text: text.name.lower() in NOT_NUMBERS and not _is_compared(text),
        "a float that is not a number",
    ),
    (sge.Div, lambda division: not _is_guarded(division), "x / 0 is an error: NULLIF(…, 0)"),
    (sge.Column, lambda column: not column.table, "may be an alias of the same SELECT"),
)


# Of a look at a source alone: its values as they are, whose text nobody computes with.
LOOKING = {sge.Trunc, sge.ToChar, sge.ConvertTimezone}


def faults(
    sql: str,
    schema: Schema,
    *,
    also: Collection[type[sge.Expr]] = (),
    spelled: Collection[str] = (),
) -> list[str]:
    """Return what Snowflake would refuse or run otherwise, a line each, in the order of reading.

    `also` has been reviewed, too; a source spells names as `spelled`.
    """
    try:
        tree = sqlglot.parse_one(sql, dialect="snowflake")
    except SqlglotError as error:
        return [f"cannot be parsed: {error}"]
    found = [*_misspelt(tree, spelled), *_banned(tree, also)]
    found += [*_clashing(tree), *_unknown_tables(tree, schema)]
    try:
        qualified = qualify(tree.copy(), schema=schema, dialect="snowflake")
    except SqlglotError as error:
        return [*dict.fromkeys(found), f"cannot be resolved: {error}"]
    annotated = annotate_types(qualified, schema, dialect="snowflake")
    found += [*_decimal_divisions(annotated), *_decimal_means(annotated)]
    return list(dict.fromkeys(found))


def _misspelt(tree: sge.Expr, spelled: Collection[str]) -> Iterator[str]:
    for identifier in tree.find_all(sge.Identifier):
        if not identifier.quoted:
            yield f"{identifier.name}: not quoted"
        elif identifier.name not in {identifier.name.upper(), *spelled}:
            yield f'"{identifier.name}": lower-case, which nothing on Snowflake is'


def _banned(tree: sge.Expr, also: Collection[type[sge.Expr]]) -> Iterator[str]:
    for node in tree.walk():
        if type(node) not in {*REVIEWED, *also}:
            reason = next((why for kinds, why in REASONS if isinstance(node, kinds)), UNREVIEWED)
            yield f"{_short(node)}: {type(node).__name__}: {reason}"
        for kind, is_wrong, reason in PECULIAR:
            if isinstance(node, kind) and is_wrong(node):
                yield f"{_short(node)}: {reason}"


def _short(node: sge.Expr) -> str:
    return node.sql("snowflake")[:80]


def _clashing(tree: sge.Expr) -> Iterator[str]:
    for select in tree.find_all(sge.Select):
        names = Counter(select.named_selects)
        yield from (f'"{name}": selected {n} times' for name, n in names.items() if n > 1)


def _unknown_tables(tree: sge.Expr, schema: Schema) -> Iterator[str]:
    for table in tree.find_all(sge.Table):
        if not schema.column_names(table, dialect="snowflake"):
            yield f'"{table.db}"."{table.name}": no such table'


def _decimal_means(tree: sge.Expr) -> Iterator[str]:
    for mean in tree.find_all(sge.Avg):
        if not _is_float(mean.this):
            yield f"{_short(mean)}: Avg: {OTHER_SCALE}"


def _decimal_divisions(tree: sge.Expr) -> Iterator[str]:
    for division in tree.find_all(sge.Div):
        if not any(map(_is_float, (division.left, division.right))):
            yield f"{_short(division)}: a NUMBER, rounded to 6 digits"


def _is_float(side: sge.Expr) -> bool:
    # SQLGlot takes 3.0 for a double; Snowflake does not.
    return not isinstance(side, sge.Literal) and side.type is not None and side.type.this in FLOATS
