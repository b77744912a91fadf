"""Names of contracts for whatever names there are, and what a column's name says it is."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Collection, Iterable

from marts.core.authoring.columns import NAME

LETTERS = {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ø": "o"}
"""Letters that are written with several others, or that have no accent to leave out."""
IDENTIFIERS = (
    *("id", "key", "code", "no", "nr", "num", "number", "uuid", "guid", "sku", "email", "isbn"),
    *("iban", "ean", "hash", "token", "login", "username"),
)
"""The last words of columns that identify something: they have no bounds, and may be unique."""
KEY_WORDS = ("id", "key", "code", "no", "nr", "number", "uuid", "guid", "sku")
"""Those that name the key of a table, the best first."""
POSITIONS = ("line", "position", "pos", "seq", "sequence", "index", "rank", "version", "step")
"""The last words of columns that number the rows of something."""
TIMES = ("date", "day", "month", "year", "week", "quarter", "hour", "minute", "time", "at", "on")
SIGNED = (
    *("balance", "acctbal", "bal", "change", "delta", "diff", "difference", "profit", "margin"),
    *("net", "gain", "loss", "adjustment", "correction", "growth", "lat", "latitude", "lon"),
    *("lng", "longitude", "temperature", "temp", "score", "offset", "x", "y", "z"),
)
"""Words of numbers that may be below 0 one day, even if none is yet."""
IRREGULAR = {"people": "person", "children": "child", "men": "man", "women": "woman"}
"""Words by their plural, if it does not end in s."""
PREFIXES = ("dim", "fct", "fact", "stg", "raw", "src", "tbl", "int", "vw", "v")
"""First words of tables that say what kind of table it is."""


def contract_name(found: str, *, otherwise: str) -> str:
    """Return a lower-case name of letters, digits and _ for any name: CustomerID is customer_id.

    `otherwise` is put before a digit, and stands for a name without a letter or digit of ASCII.
    """
    text = "".join(LETTERS.get(letter, letter) for letter in found)
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    if not found.isupper():
        text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or otherwise
    if name[0].isdigit():
        name = f"{otherwise}_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


def contract_names(
    found: Iterable[str], *, otherwise: str, taken: Collection[str] = ()
) -> dict[str, str]:
    """Return a different name for each of some names; what is a contract's name already stays."""
    found = list(found)
    plain = [each for each in found if NAME.fullmatch(each) and not keyword.iskeyword(each)]
    names = {each: each for each in plain if each not in taken}
    for each in found:
        if each in names:
            continue
        name = stem = contract_name(each, otherwise=otherwise)
        number = 2
        while name in names.values() or name in taken:
            name = f"{stem.rstrip('_')}_{number}"
            number += 1
        names[each] = name
    return {each: names[each] for each in found}


def words_of(name: str) -> list[str]:
    """Return the words of a column's or table's name, in lower case."""
    return [word for word in contract_name(name, otherwise="").split("_") if word]


def prefix_of(columns: Collection[str]) -> str:
    """Return the short first word that all columns of a table share, as l_ in l_orderkey."""
    firsts = {(words_of(name) or [""])[0] for name in columns}
    (first,) = firsts if len(firsts) == 1 and len(columns) > 1 else ("",)
    is_short = 0 < len(first) <= 3 and all(len(words_of(name)) > 1 for name in columns)
    return first if is_short else ""


def stem_of(column: str, prefix: str) -> str:
    """Return a column's name without its table's prefix."""
    words = words_of(column)
    return "_".join(words[1:] if prefix and words[:1] == [prefix] else words)


def ends_in(name: str, endings: Iterable[str]) -> bool:
    """Tell whether the last word of a name is one of some, or ends in a longer one of them."""
    last = (words_of(name) or [""])[-1]
    return any(last == each or (len(each) > 2 and last.endswith(each)) for each in endings)


def is_identifier(name: str) -> bool:
    """Tell whether a column identifies something, by its name."""
    return ends_in(name, IDENTIFIERS)


def is_part_of_key(name: str) -> bool:
    """Tell whether a column may be a part of a key of several columns, by its name."""
    return ends_in(name, (*IDENTIFIERS, *POSITIONS, *TIMES))


def may_be_signed(name: str) -> bool:
    """Tell whether a number may be below 0, by its name."""
    return bool({*words_of(name)} & {*SIGNED}) or ends_in(name, ("balance", "acctbal"))


def entity_of(table: str) -> str:
    """Return what a row of a table is, by its name: customer for customers and dim_customer."""
    words = words_of(plain(table))
    return "_".join([*words[:-1], singular(words[-1])]) if words else table


def plain(table: str) -> str:
    """Return a table's name without a first word that says what kind of table it is."""
    words = words_of(table)
    return "_".join(words[1:]) if len(words) > 1 and words[0] in PREFIXES else "_".join(words)


def singular(word: str) -> str:
    """Return a word without the ending of a plural."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word.removesuffix(ending) + instead
    is_plural = word.endswith("s") and not word.endswith(("ss", "us", "is"))
    return word[:-1] if is_plural and len(word) > 3 else word
