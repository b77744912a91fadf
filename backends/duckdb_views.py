"""What the definition of a view says, however DuckDB writes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlglot

from backends.duckdb_ddl import DIALECT

QUOTED = ("IDENTIFIER", "STRING")
QUERY = ("SELECT", "WITH", "VALUES", "FROM")
"""What a query begins with."""
STORED_TYPES = {"TEXT": "VARCHAR", "INT128": "HUGEINT", "TIMESTAMP_US": "TIMESTAMP"}


def words_of(definition: str) -> list[str]:
    """Return a definition's words, without what changes when a database is opened again.

    This is its whitespace, the names of types, and how joins are written: DuckDB 2 first puts each
    into parentheses, and every version later writes a comma for CROSS JOIN.
    """
    tokens = sqlglot.tokenize(definition, DIALECT)
    kinds = [token.token_type.name for token in tokens]
    left_out = {*_parentheses_of_joins(kinds)}
    words, before = list[str](), ""
    for number, (token, kind) in enumerate(zip(tokens, kinds, strict=True)):
        if number not in left_out and kind != "CROSS":
            words += [","] if (before, kind) == ("CROSS", "JOIN") else _words(token.text, kind)
        before = kind
    return words


def _words(text: str, kind: str) -> Sequence[str]:
    if kind == "IDENTIFIER" and text.endswith(" WITH TIME ZONE"):
        # DuckDB 1 first writes this type as a quoted name.
        return text.split()
    return (text,) if kind in QUOTED else (STORED_TYPES.get(text, text),)


def _parentheses_of_joins(kinds: Sequence[str]) -> Iterator[int]:
    """Yield the numbers of the tokens that are parentheses around joins, where a table may stand.

    Without them, joins are read from left to right, and each ON belongs to one of them.
    """
    opened: list[tuple[int, bool]] = []
    joining = set[int]()
    for number, kind in enumerate(kinds):
        if kind == "L_PAREN":
            is_query = kinds[number + 1] in QUERY
            is_table = not is_query and _may_be_a_table(kinds[number - 2 : number], opened)
            opened.append((number, is_table))
        elif kind == "R_PAREN" and opened:
            start, is_table = opened.pop()
            if is_table and start in joining:
                yield from (start, number)
        elif kind == "JOIN" and opened:
            joining.add(opened[-1][0])


def _may_be_a_table(before: Sequence[str], opened: Sequence[tuple[int, bool]]) -> bool:
    match before:
        case [_, "L_PAREN"]:
            return bool(opened) and opened[-1][1]
        case ["DISTINCT", "FROM"]:
            return False
        case [_, "FROM" | "JOIN"]:
            return True
    return False
