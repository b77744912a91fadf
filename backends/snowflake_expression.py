"""SQL in place of a value."""

from __future__ import annotations


class Expression(str):
    """An expression in place of a value, as SQL: a variable of a procedure, for example."""

    __slots__ = ()
