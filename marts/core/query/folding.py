"""Fold texts, so that texts which differ only in case, blanks and Unicode form are equal."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Literal

import ibis.expr.types as ir

BLANKS = (
    " \t\n\r\v\f\u0085\u00a0\u00ad\u1680\u180e\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
    "\u2008\u2009\u200a\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
"""Characters that folding removes: they are invisible in a text."""

FORMS: tuple[Literal["NFC", "NFD", "NFKC", "NFKD"], ...] = ("NFC", "NFD", "NFKC", "NFKD")

# Turkish has two letters i, each with both cases; in other languages these are one letter.
DOTTED, DOTLESS = "i\u0307", "\u0131"

COMPATIBILITY_RANGES = (
    (0x80, 0x24F),  # Latin, with ß and ª
    (0x3C2, 0x3F5),  # Greek letters as symbols
    (0x2000, 0x2500),  # letters as symbols, in circles
    (0xFB00, 0xFB06),  # ligatures
    (0xFF01, 0xFF5E),  # of full width
    (0x1D400, 0x1D7FF),  # of mathematics
)
"""The ranges of letters that fold to other letters, or to several; both ends included."""


def folded(text: str) -> str:
    """Return a text in lower case, without blanks, in one Unicode form."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = text.replace(DOTTED, "i").replace(DOTLESS, "i")
    return "".join(letter for letter in text if letter not in BLANKS)


def equals_folded(value: ir.StringValue, texts: Collection[str]) -> ir.BooleanValue:
    """Tell which values equal one of some texts when folded, with functions of all engines."""
    wanted = [folded(text) for text in texts]
    letters = {
        letter: plain
        for letter, plain in _letters().items()
        if any(plain in text for text in wanted)
    }
    single = {letter: plain for letter, plain in letters.items() if len(plain) == 1}
    # Characters without a counterpart are removed.
    bare = value.lower().translate("".join([*single, *BLANKS]), "".join(single.values()))
    several = {letter: plain for letter, plain in letters.items() if len(plain) > 1}
    for letter, plain in {**several, DOTTED: "i"}.items():
        bare = bare.replace(letter, plain)
    forms = {unicodedata.normalize(form, text) for text in wanted for form in FORMS}
    return bare.isin(sorted(forms))


@cache
def _letters() -> Mapping[str, str]:
    """Return the letters that do not fold to their lower case, each with its folded form."""
    return dict(_unlike_lower_case())


def _unlike_lower_case() -> Iterator[tuple[str, str]]:
    for first, last in COMPATIBILITY_RANGES:
        for letter in map(chr, range(first, last + 1)):
            plain = folded(letter)
            if plain and plain != letter.lower() and letter not in BLANKS:
                yield letter, plain
