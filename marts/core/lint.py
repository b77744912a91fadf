"""Find what engines would compute differently: read a query's Ibis graph against a table of rules.

A rule looks at single operations, so it knows no values: a denominator that a filter keeps from 0
is flagged all the same. Its types are those that engines give an expression, where Ibis believes
otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any, Self

import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.authored import function_of, place_of
from marts.core.keys import Key, Keys, keys_of
from marts.core.model import Mart, Source
from marts.core.origin import meaning
from marts.core.plan import Build, CheckAcross, CheckRows, Plan


@dataclass(frozen=True)
class Finding:
    """What to change in a mart or a check, where, and how."""

    table: str
    rule: str
    message: str
    place: str
    hint: str

    def __str__(self) -> str:
        return f"{self.table}: {self.message}\n  {self.place}\n  hint: {self.hint}"


@dataclass(frozen=True)
class Rule:
    """One kind of mistake; `{op}` in its message is the operation, `{types}` those it works on."""

    name: str
    looks_at: tuple[type[ops.Node], ...]
    message: str
    hint: str
    is_wrong: Callable[[Any], bool] = lambda _: True

    def finding(self, op: ops.Node, table: Source | Mart, place: str) -> Finding:
        """Say that an operation breaks the rule."""
        name = getattr(op, "name", type(op).__name__)
        short = name if len(name) <= 60 else f"{name[:59]}…"
        types = " and ".join(str(operand.dtype) for operand in _operands(op))
        return Finding(
            table.name, self.name, self.message.format(op=short, types=types), place, self.hint
        )


class Trace:
    """Where authors built each expression, and which of their casts Ibis left out.

    Both can only be seen while the authors' functions run: `with Trace() as trace: plan_run(…)`.
    It watches functions return, as a profiler does, and takes the profiler's place meanwhile.
    """

    def __init__(self) -> None:
        self.places: dict[ops.Node, str] = {}
        self.dropped: list[DroppedCast] = []

    def __enter__(self) -> Self:
        self._outside = sys._getframe(1)  # noqa: SLF001  (whoever traces is no author)
        self._before = sys.getprofile()
        sys.setprofile(self._watch)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)

    def _watch(self, frame: FrameType, event: str, returned: object) -> None:
        if event != "return" or not isinstance(returned, ir.Expr):
            return
        op = returned.op()
        left_out = frame.f_code is ir.Value.cast.__code__ and returned is frame.f_locals["self"]
        if op in self.places and not left_out:
            return
        above = [f for f in _frames(frame.f_back, self._outside) if not _is_machinery(f)]
        if above:
            place = place_of(above[0].f_code.co_filename, above[0].f_lineno)
            for built in (op, *_parts(op)):
                self.places.setdefault(built, place)
            if left_out:
                self.dropped.append(DroppedCast(op, place, frozenset(f.f_code for f in above)))


@dataclass(frozen=True)
class DroppedCast:
    """An expression that an author cast to the type Ibis believed in already."""

    op: ops.Value
    place: str
    within: frozenset[CodeType] = field(repr=False)
    """The authors' functions that were running."""


def _frames(frame: FrameType | None, outside: FrameType) -> Iterator[FrameType]:
    while frame is not None and frame is not outside:
        yield frame
        frame = frame.f_back


def _parts(op: ops.Node) -> Iterator[ops.Node]:
    """Yield what a relation computes and joins: Ibis builds it anew where it is put into one."""
    parts = (ops.Value, ops.JoinLink)
    if isinstance(op, ops.Relation):
        for child in op.__children__:
            if isinstance(child, parts):
                yield from child.find(parts, filter=parts)


MACHINERY = {"ibis", "toolz", *sys.stdlib_module_names}


def _is_machinery(frame: FrameType) -> bool:
    module = frame.f_globals.get("__name__", "")
    return module.startswith(f"{__package__}.") or module.partition(".")[0] in MACHINERY


def lint(
    table: Source | Mart,
    query: ir.Table,
    *,
    keys: Keys | None = None,
    trace: Trace | None = None,
) -> tuple[Finding, ...]:
    """Return what engines would compute differently in a mart's query, or in one of its checks.

    `keys` (see `declared_keys`) tells which order is total; without it, or where a row's key cannot
    be derived, any order passes. A trace adds the author's lines, and the casts that Ibis dropped
    while it watched the mart's function. Without one the place is where the table is declared.
    """
    places = trace.places if trace else {}
    broken = [*_broken(query), *_unordered(query, keys or {})]
    found = [rule.finding(op, table, places.get(op, table.place)) for op, rule in broken]
    if trace and isinstance(table, Mart):
        written = function_of(table.define)
        casts = [cast for cast in trace.dropped if written and written.__code__ in cast.within]
        found += [
            DROPPED_CAST.finding(cast.op, table, cast.place)
            for cast in casts
            if _is_misjudged(cast.op)
        ]
    return tuple(dict.fromkeys(found))


def lint_plan(
    plan: Plan, *, keys: Keys | None = None, trace: Trace | None = None
) -> tuple[Finding, ...]:
    """Return the findings of the marts that a plan builds, and of the checks that it makes."""
    found: list[Finding] = []
    for step in plan.steps:
        match step:
            case Build(mart, query):
                found += lint(mart, query, keys=keys, trace=trace)
            case CheckRows(table, _, query) | CheckAcross(table, _, query):
                found += lint(table, query, keys=keys, trace=trace)
    return tuple(dict.fromkeys(found))


def _broken(query: ir.Table) -> Iterator[tuple[ops.Node, Rule]]:
    for op in query.op().find(ops.Node):
        yield from ((op, r) for r in RULES if isinstance(op, r.looks_at) and r.is_wrong(op))


def _operands(op: ops.Node) -> list[ops.Value]:
    found = (getattr(op, name, None) for name in ("arg", "left", "right"))
    return [operand for operand in found if isinstance(operand, ops.Value)]


# Snowflake's functions that answer in floats whatever they are asked in.
ALWAYS_FLOAT = (ops.Sqrt, ops.Exp, ops.Ln, ops.Log, ops.Log2, ops.Log10, ops.Power)


def _is_float(op: ops.Value) -> bool:
    """Tell whether engines compute in floats: `1.5` is a decimal to them, and so is 1 / 3."""
    op = meaning(op)
    if not op.dtype.is_floating():
        return False
    if isinstance(op, (ops.Field, ops.Cast, *ALWAYS_FLOAT)):
        return True
    return any(_is_float(child) for child in op.__children__ if isinstance(child, ops.Value))


def _none_is_float(op: ops.Value) -> bool:
    return not any(map(_is_float, _operands(op)))


def _is_unguarded(division: ops.Binary) -> bool:
    by = meaning(division.right)
    while isinstance(by, ops.Cast):
        by = meaning(by.arg)
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
    rel = limit.parent
    while isinstance(rel, ops.Project | ops.Filter | ops.DropColumns):
        rel = rel.parent
    return not isinstance(rel, ops.Sort)


def _is_misjudged(op: ops.Value) -> bool:
    """Tell whether an engine's type of an expression is another than Ibis believes."""
    op = meaning(op)
    if isinstance(op, (ops.Sum, ops.DateTruncate, *STATISTICS)):
        return not _is_float(op)
    arithmetic = (ops.Add, ops.Subtract, ops.Multiply, ops.Divide, ops.Modulus, ops.Round)
    return isinstance(op, arithmetic) and not _is_float(op) and not op.dtype.is_integer()


def _unordered(query: ir.Table, keys: Keys) -> Iterator[tuple[ops.Node, Rule]]:
    windows = query.op().find(ops.WindowFunction)
    yield from ((w, UNORDERED) for w in windows if _lacks_total_order(w, keys))
    windowed = {window.func for window in windows}
    bare = (op for op in query.op().find(ops.Analytic) if op not in windowed)
    yield from ((op, UNORDERED) for op in bare)


# Rows that tie get the same number, so an order is enough; it need not be total.
RANKS = (ops.MinRank, ops.DenseRank, ops.PercentRank, ops.CumeDist)


def _lacks_total_order(window: ops.WindowFunction, keys: Keys) -> bool:
    if isinstance(window.func, ops.Reduction):
        is_framed = window.how == "rows" and (window.start is not None or window.end is not None)
        if not is_framed:
            return False
    if not window.order_by or isinstance(window.func, RANKS):
        return not window.order_by
    columns = [*window.group_by, *(key.arg for key in window.order_by)]
    fields = [column for column in columns if isinstance(column, ops.Field)]
    relations = {rel for column in columns for rel in column.relations}
    possible = set[Key]().union(*(keys_of(rel, keys) for rel in relations))
    names = {column.name for column in fields}
    return bool(possible) and not any(key <= names for key in possible)


STATISTICS = (
    *(ops.Mean, ops.Median, ops.ApproxMedian, ops.Quantile, ops.ApproxQuantile),
    *(ops.MultiQuantile, ops.ApproxMultiQuantile, ops.Variance, ops.StandardDev),
    *(ops.Covariance, ops.Correlation, ops.Kurtosis),
)

UNORDERED = Rule(
    "total_order",
    (),
    "{op} over rows whose order is not total: engines number rows that tie as they like",
    'ibis.window(group_by=…, order_by=…) with columns that name a row: order_by=["date", "key"]',
)
DROPPED_CAST = Rule(
    "dropped_cast",
    (),
    "Ibis dropped the cast of {op}: it believes in that type already, engines do not",
    "ibis.expr.operations.Cast(value, dtype).to_expr() stays; a column of the contract is cast"
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
        "not_repeatable",
        (ops.TimestampNow, ops.DateNow, ops.RandomScalar, ops.RandomUUID, ops.Sample),
        "{op} differs from run to run",
        "take the day from the parameter as_of: as_of.date",
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
        ".floor(), .ceil() or .round() say which integer is meant",
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
        (ops.Cast, ops.Literal),
        "{op} is a timestamp with a zone, which engines show in the session's",
        "timestamps without zone, in UTC",
        lambda op: getattr(op.dtype, "timezone", None) is not None,
    ),
)
