"""Texts that people read as the same: alike but for case, blanks, and Unicode form."""

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
"""What nobody sees in a text: how it is spelt does not depend on it."""

FORMS: tuple[Literal["NFC", "NFD", "NFKC", "NFKD"], ...] = ("NFC", "NFD", "NFKC", "NFKD")

# Turkish has two letters i, whose upper and lower cases others take for one another's.
DOTTED, DOTLESS = "i\u0307", "\u0131"

SPELT_OTHERWISE = (
    (0x80, 0x24F),  # Latin, with ß and ª
    (0x3C2, 0x3F5),  # Greek letters as symbols
    (0x2000, 0x2500),  # letters as symbols, in circles
    (0xFB00, 0xFB06),  # ligatures
    (0xFF01, 0xFF5E),  # of full width
    (0x1D400, 0x1D7FF),  # of mathematics
)
"""Where letters are that stand for others, or for several; both ends belong."""


def folded(text: str) -> str:
    """Return a text without case and blanks, its letters in one form: alike for alike readers."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = text.replace(DOTTED, "i").replace(DOTLESS, "i")
    return "".join(letter for letter in text if letter not in BLANKS)


def equals_folded(value: ir.StringValue, texts: Collection[str]) -> ir.BooleanValue:
    """Tell which texts are read as one of these, in functions that all engines have."""
    meant = [folded(text) for text in texts]
    letters = {
        letter: plain
        for letter, plain in _letters().items()
        if any(plain in text for text in meant)
    }
    single = {letter: plain for letter, plain in letters.items() if len(plain) == 1}
    # What has nothing in its place is left out.
    bare = value.lower().translate("".join([*single, *BLANKS]), "".join(single.values()))
    several = {letter: plain for letter, plain in letters.items() if len(plain) > 1}
    for letter, plain in {**several, DOTTED: "i"}.items():
        bare = bare.replace(letter, plain)
    forms = {unicodedata.normalize(form, text) for text in meant for form in FORMS}
    return bare.isin(sorted(forms))


@cache
def _letters() -> Mapping[str, str]:
    """Return the letters that stand for others, and for which."""
    return dict(_unlike_lower_case())


def _unlike_lower_case() -> Iterator[tuple[str, str]]:
    for first, last in SPELT_OTHERWISE:
        for letter in map(chr, range(first, last + 1)):
            plain = folded(letter)
            if plain and plain != letter.lower() and letter not in BLANKS:
                yield letter, plain
