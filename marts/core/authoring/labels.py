"""Labels with conditions, such as bands of a number: one declaration for contract and query."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Unpack

import ibis
import ibis.expr.types as ir
from ibis import Deferred

from marts.core.authoring.columns import Column, Described, normalized
from marts.core.authoring.signature import location_of_caller
from marts.core.errors import DefinitionError

Branch = tuple[Deferred, str]
"""A condition, and the label of the rows for which it is the first that holds."""


@dataclass(frozen=True, kw_only=True)
class Labels(Column):
    """A column whose value is the label of the first condition that holds, or else `otherwise`."""

    branches: tuple[Branch, ...] = field(repr=False, compare=False)
    otherwise: str

    def of(self, table: ir.Table) -> ir.StringColumn:
        """Return the label of each row of a table, which must have the conditions' columns."""
        branches = [(table.bind(condition)[0], label) for condition, label in self.branches]
        return ibis.cases(*branches, else_=self.otherwise)


def labels(name: str, *branches: Branch, else_: str, **keywords: Unpack[Described]) -> Labels:
    """Declare a column of labels, each with its condition, such as `(_.spend < 100, "low")`.

    A row gets the label of the first condition that holds, and `else_` if none does; a comparison
    with null does not hold. Conditions refer to columns by `from ibis import _`. The column is
    never null, its accepted values are the labels, and its comment is `doc` followed by the
    conditions. In a mart, `.of(table)` is the expression. Raises DefinitionError for something that
    is not such a condition.
    """
    location = location_of_caller(1)
    for condition, label in branches:
        if not isinstance(condition, Deferred):
            raise DefinitionError(
                f"column {name}: the condition of {label!r} is a {type(condition).__name__}",
                location,
                hint=f'write it with `from ibis import _`: (_.column < 10, "{label}")',
            )
    given = normalized(keywords)
    rules = "; ".join(f"{label} if {_text(condition)}" for condition, label in branches)
    given["doc"] = ": ".join(filter(None, (given["doc"], f"{rules}; else {else_}")))
    return Labels(
        name=name,
        type="string",
        values=tuple(dict.fromkeys([*(label for _, label in branches), else_])),
        branches=branches,
        otherwise=else_,
        location=location,
        **given,
    )


WORDS = (
    # A comparison in parentheses, with neither a call nor another pair within.
    (r"(?<!\w)\(([^()&|]* (?:==|!=|<=?|>=?) [^()&|]*)\)", r"\1"),
    (r"~", "not "),
    (r" \| ", " or "),
    (r" & ", " and "),
    (r"\.notnull\(\)", " is not null"),
    (r"\.isnull\(\)", " is null"),
    (r"\b_\.", ""),
)
"""How the Python of a condition is put into words."""

QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")


def _text(condition: Deferred) -> str:
    """Return a condition in words: `spend < 100 and orders == 0`; quoted texts are unchanged."""
    text = repr(condition)
    texts = iter(QUOTED.findall(text))
    text = QUOTED.sub("''", text)
    if _is_wrapped(text):
        text = text[1:-1]
    for found, words in WORDS:
        text = re.sub(found, words, text)
    return re.sub("''", lambda _: next(texts), text)


def _is_wrapped(text: str) -> bool:
    """Tell whether one pair of parentheses encloses the whole text."""
    depth = 0
    for at, each in enumerate(text):
        depth += (each == "(") - (each == ")")
        if depth == 0:
            return each == ")" and at == len(text) - 1
    return False
