"""Slips of authors: Ibis's errors in words, and expressions that no engine could carry out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import ibis.expr.operations as ops
import ibis.expr.types as ir
from ibis.common.annotations import SignatureValidationError
from ibis.expr.operations.udf import InputType

from marts.core.errors import DefinitionError, attribute_hint

TOO_DEEP = "nest less: go step by step with mutate(…), or use isin(…), cases(…) or a join"
HINTS: Mapping[str, str] = {
    "belong to another relation": (
        "use the columns of this very table, as t.amount or _.amount; columns of another table need"
        " a join first"
    ),
    "Ambiguous field reference": "give one of the sides a name of its own: other = t.view()",
    "unbound tables": "build an expression; marts runs it, so leave out .sql(…) and .execute()",
    "found no default": "build an expression; marts runs it, so leave out .sql(…) and .execute()",
}
"""By a part of the text of an error: what to write instead."""
REPR = re.compile(r"<(?:\w+\.)*(\w+) object at 0x[0-9a-f]+>")


def in_words(error: BaseException) -> str:
    """Return the kind of an error and what it says, without Python's descriptions of objects."""
    text = REPR.sub(r"\1", str(_wrong_arguments(error) or error))
    return f"{type(error).__name__}: {text}".replace("\n", "\n  ")


def _wrong_arguments(error: BaseException) -> str:
    """Return which arguments of an operation do not fit; Ibis repeats whole expressions."""
    if not isinstance(error, SignatureValidationError):
        return ""
    wrong = (
        f"{name} is {value.type() if isinstance(value, ir.Value) else repr(value)},"
        f" not {pattern.describe()}"
        for name, value, pattern in error.errors
    )
    return f"{error.func.__name__}: {'; '.join(wrong) or error.__cause__}"


def hint_of(error: BaseException, given: Iterable[object]) -> str | None:
    """Return a hint for an error of an author's function, None if nothing is known of it."""
    if isinstance(error, RecursionError):
        return TOO_DEEP
    columns = (name for each in given if isinstance(each, ir.Table) for name in each.columns)
    text = str(error)
    known = (hint for part, hint in HINTS.items() if part in text)
    return attribute_hint(error, columns) or next(known, None)


PYTHON = (InputType.PYTHON, InputType.PANDAS, InputType.PYARROW)


def refuse_impossible(found: object, *, what: str, location: str) -> None:
    """Raise DefinitionError for a function in Python, or a parameter without a value."""
    if not isinstance(found, ir.Expr):
        return
    for op in found.op().find((ops.ScalarUDF, ops.AggUDF, ops.ScalarParameter)):
        if isinstance(op, ops.ScalarParameter):
            raise DefinitionError(
                f"{what} has an ibis.param, to which nothing gives a value",
                location,
                hint="write the value itself; the date of the run is the parameter as_of",
            )
        if op.__input_type__ in PYTHON:
            raise DefinitionError(
                f"{what} calls {op.__func_name__}, a function in Python, which no SQL contains",
                location,
                hint="write it as an expression of Ibis, such as upper(), cases(…) or a join",
            )


READ = (ops.UnboundTable, ops.DatabaseTable, ops.SQLQueryResult)
"""The relations that an engine has; others are computed."""


def refuse_other_tables(
    found: ir.Table, given: Iterable[object], *, what: str, location: str
) -> None:
    """Raise DefinitionError for a table that was not given: no run would know that it is read."""
    tables = [each.op() for each in given if isinstance(each, ir.Table)]
    others = [each for each in found.op().find(READ) if each not in tables]
    if not others:
        return
    known = {each for table in tables for each in table.find(READ)}
    for other in others:
        if other not in known:
            name = getattr(other, "name", "the result of a query")
            raise DefinitionError(
                f"{what} reads {name}, which is not among its parameters",
                location,
                hint="declare it as a source or a mart, and name it among the parameters",
            )
