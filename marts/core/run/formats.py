"""How values are written: exact in JSON, harmless in a spreadsheet, visible on a terminal."""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal

# Characters that a terminal interprets as commands (C0, DEL, C1), and characters that make a text
# look like another one: direction overrides, and line separators that do not end a line in a file.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029\u2066-\u2069]")
UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u202a-\u202e\u2028\u2029\u2066-\u2069\ud800-\udfff]")
# The start of what a spreadsheet program interprets as a formula, also after blanks; some programs
# convert the full-width forms. The list is OWASP's.
FORMULA = re.compile(r"[\s\ufeff\u200b]*[=+\-@＝＋－＠]|[\t\r\n]")  # noqa: RUF001


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: 1 mart, 1,234 rows."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def visible(text: str, *, keep: str = "") -> str:
    r"""Return a text with its control characters escaped, such as `\x1b`.

    Characters in `keep` stay.
    """
    return CONTROL.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def _escape(character: str) -> str:
    known = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}
    code = ord(character)
    return known.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def harmless(value: object) -> object:
    """Return a value for a spreadsheet: text that would be a formula is prefixed by an apostrophe.

    Other values stay: a negative number is not a formula.
    """
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


def csv_lines(rows: Iterable[Iterable[object]], *, safe: bool) -> Iterator[str]:
    """Return each row as a line of CSV; in `safe` CSV no text is a formula to a spreadsheet."""
    for row in rows:
        line = io.StringIO()
        # The writer quotes the characters of its line terminator: both that may end a line.
        writer = csv.writer(line, lineterminator="\r\n")
        writer.writerow([cell(harmless(value) if safe else value) for value in row])
        yield line.getvalue().removesuffix("\r\n") + "\n"


def cell(value: object) -> str:
    """Return a value as text for a table or CSV: empty for null, booleans in lower case as in SQL.

    Bytes are hexadecimal, durations ISO 8601, nested values JSON.
    """
    match value:
        case None | bool():
            return "" if value is None else str(value).lower()
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case Mapping() | list() | tuple() | AbstractSet():
            return json_text(value, indent=0)
        case datetime.timedelta():
            return _duration(value)
        case Decimal():
            return format(value, "f")
        case _:
            return str(value)


def shown_cell(value: object) -> str:
    """Return a value as text for people: as in CSV, but null is `null`, and not an empty text."""
    return "null" if value is None else cell(value)


def _duration(value: datetime.timedelta) -> str:
    """Return a duration as ISO 8601: `-P1DT0.5S`."""
    sign, value = ("-", -value) if value < datetime.timedelta() else ("", value)
    part = f".{value.microseconds:06d}".rstrip("0") if value.microseconds else ""
    return f"{sign}P{value.days}DT{value.seconds}{part}S"


def json_text(value: object, *, indent: int = 2, within: str = "\n") -> str:
    """Return a value as JSON, with all digits of decimals, unlike the standard library.

    Dates and times are ISO 8601, bytes hexadecimal. Numbers that JSON lacks are text: "NaN",
    "Infinity". Control characters are escaped. Without `indent` the result is one line; `within` is
    the line break and indentation of the enclosing value.
    """
    inner = within + " " * indent

    def text(each: object) -> str:
        return json_text(each, indent=indent, within=inner)

    match value:
        case Mapping():
            pairs = [f"{_string(cell(name))}: {text(each)}" for name, each in value.items()]
            return _enclosed("{", pairs, "}", inner if indent else "", within if indent else "")
        case list() | tuple() | AbstractSet():
            items = [text(each) for each in value]
            return _enclosed("[", items, "]", inner if indent else "", within if indent else "")
        case _:
            return _scalar(value)


def _enclosed(start: str, items: list[str], end: str, inner: str, outer: str) -> str:
    between = f",{inner or ' '}"
    return f"{start}{inner}{between.join(items)}{outer}{end}" if items else start + end


def _scalar(value: object) -> str:
    match value:
        case None | bool() | int():
            return json.dumps(value)
        case float() if math.isfinite(value):
            return float.__repr__(value)
        case Decimal() if value.is_finite():
            return format(value, "f")
        case float() | Decimal():
            return _string(str(Decimal(value)))
        case datetime.date() | datetime.time():
            return _string(value.isoformat())
        case _:
            return _string(cell(value))


def _string(text: str) -> str:
    r"""Return a JSON string; half a surrogate pair, which cannot be encoded, is `\udc80`."""
    quoted = json.dumps(text, ensure_ascii=False)
    return UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def ascii_json(text: str) -> str:
    """Return a JSON document in ASCII, for an encoding that lacks some of its characters."""
    return re.sub("[^\x00-\x7f]", lambda found: json.dumps(found[0])[1:-1], text)
