"""What DuckDB's errors say, without the values that they quote."""

from __future__ import annotations

import re

import duckdb

OF_VALUES = (
    duckdb.ConstraintException,
    duckdb.ConversionException,
    duckdb.InvalidInputException,
    duckdb.NotImplementedException,
    duckdb.OutOfRangeException,
)
"""The errors that quote values of rows, which may be personal data."""
KIND = re.compile(r"[A-Z][A-Za-z]*(?: [A-Za-z]+)* Error: ")
"""How DuckDB's messages begin."""
QUOTING = re.compile(r"""['"(]|(?<=.): |(?<= value )|(?<![A-Z0-9])-?\d""")
"""Where the first value of a message may begin."""
TYPE = r"[A-Z]\w*(?:\(\d+(?:,\d+)?\))?(?:\[\])*"
AFTERWARDS = re.compile(
    rf"(?: (?:to|for|to type) (?:the destination type )?{TYPE})?"
    r"(?: when casting from source column \S+)?\Z"
)
"""How a message ends, behind all values: with a type, and the column."""


def said(error: Exception) -> str:
    """Return an error's message; an error of values has a mark in place of what it quotes."""
    message = str(error).strip()
    if not isinstance(error, OF_VALUES):
        return message
    begun = KIND.match(message)
    kind, words = (begun[0], message[begun.end() :]) if begun else ("", message)
    # DuckDB's excerpt of the statement comes last; a value may look like one.
    words = words.rpartition("\n\nLINE ")[0] if "\n\nLINE " in words else words
    if (found := QUOTING.search(words)) is None:
        # An author's `error(…)` has a value as its whole message.
        return f"{kind or 'Error: '}…"
    end = AFTERWARDS.search(words, found.end())
    return f"{kind}{words[: found.start()].rstrip()} …{end[0] if end else ''}"


def first_line(error: Exception) -> str:
    """Return the first line of an error, without the values that it quotes."""
    return said(error).partition("\n")[0]
