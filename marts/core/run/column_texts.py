"""Columns of Arrow as texts for CSV and JSON: what `cell` and `json_text` make of each value.

Arrow makes most of the texts, many times faster than value by value; the few that need a rule of
`formats` are found by a pattern, and made by that rule.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from marts.core.run.formats import cell, harmless, json_text

NOT_HARMLESS = r"^[^\pL\pN]"
"""What `harmless` may change begins neither with a letter nor with a digit."""
NOT_PLAIN = r"[^\x20\x21\x23-\x5b\x5d-\x7e\pL\pN]"
"""What JSON may escape is neither a letter, nor a digit, nor printable ASCII but for two."""
IN_WORDS = r"[eEn]|^-?0\.0000"
"""Numbers with an exponent, NaN and infinity, which each format writes in its own way.

From 0.0001 down, Python writes an exponent where Arrow does not yet.
"""

Rule = Callable[[object], str]


def csv_texts(values: pa.Array) -> tuple[pa.Array, int]:
    """Return the text of each value in CSV, null for null, and how many are not as they were.

    Texts are quoted, whatever they are, and nothing else is. One that a spreadsheet program would
    run as a formula begins with an apostrophe.
    """
    match values.type:
        case kind if pa.types.is_string(kind):
            texts, changed = _harmless(values)
            doubled = pc.replace_substring(texts, '"', '""')
            return pc.binary_join_element_wise('"', doubled, '"', ""), changed
        case kind if any(is_it(kind) for is_it in PLAIN):
            return _plain(values, cell), 0
        case _:
            return csv_texts(_each(values, cell))


def json_texts(values: pa.Array) -> pa.Array:
    """Return the text of each value in JSON: `null` for null, numbers with all their digits."""
    match values.type:
        case kind if pa.types.is_string(kind):
            quoted = pc.binary_join_element_wise('"', values, '"', "")
            texts = _by_rule(quoted, values, pc.match_substring_regex(values, NOT_PLAIN), json_text)
        case kind if pa.types.is_temporal(kind) and any(is_it(kind) for is_it in PLAIN):
            iso = pc.replace_substring(_plain(values, json_text), " ", "T")
            texts = pc.binary_join_element_wise('"', iso, '"', "")
        case kind if any(is_it(kind) for is_it in PLAIN):
            texts = _plain(values, json_text)
        case _:
            texts = _each(values, partial(json_text, indent=0))
    return pc.fill_null(texts, "null")


PLAIN = (
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_date,
    pa.types.is_timestamp,
)
"""The types whose texts need neither quotes nor escapes."""


def _plain(values: pa.Array, rule: Rule) -> pa.Array:
    texts = values.cast(pa.string())
    if pa.types.is_timestamp(values.type):
        return pc.replace_substring_regex(texts, r"\.0+$", "")
    if pa.types.is_floating(values.type):
        texts = pc.replace_substring_regex(texts, r"^(-?\d+)$", r"\1.0")
    if pa.types.is_floating(values.type) or pa.types.is_decimal(values.type):
        return _by_rule(texts, values, pc.match_substring_regex(texts, IN_WORDS), rule)
    return texts


def _harmless(values: pa.Array) -> tuple[pa.Array, int]:
    """Return texts that no spreadsheet program runs, and how many have become other ones."""
    doubtful = pc.match_substring_regex(values, NOT_HARMLESS)
    given = values.filter(doubtful).to_pylist()
    made = [str(harmless(text)) for text in given]
    changed = sum(one != other for one, other in zip(given, made, strict=True))
    return pc.replace_with_mask(values, doubtful, pa.array(made, pa.string())), changed


def _by_rule(texts: pa.Array, values: pa.Array, doubtful: pa.Array, rule: Rule) -> pa.Array:
    """Return the texts, but those of doubtful values as the rule makes them."""
    made = [rule(value) for value in values.filter(doubtful).to_pylist()]
    return pc.replace_with_mask(texts, doubtful, pa.array(made, pa.string()))


def _each(values: pa.Array, rule: Rule) -> pa.Array:
    made = [None if value is None else rule(value) for value in values.to_pylist()]
    return pa.array(made, pa.string())
