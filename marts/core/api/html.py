"""Texts and tables as HTML, which a notebook displays."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from html import escape

from marts.core.console.messages import Line, line_text
from marts.core.run.formats import visible

STYLES = {
    "ok": "color:green",
    "build": "color:teal",
    "done": "color:green;font-weight:bold",
    "warn": "color:darkorange",
    "skip": "color:darkorange",
    "alter": "color:darkorange",
    "drop": "color:darkorange",
    "FAIL": "color:crimson;font-weight:bold",
    "stop": "color:crimson;font-weight:bold",
}


def text_html(text: str) -> str:
    """Return lines of text in a fixed-width font."""
    return f"<pre>{_escaped(text)}</pre>"


def lines_html(lines: Iterable[Line | str]) -> str:
    """Return lines, those with a label in its colour."""
    text = "\n".join(map(_line_html, lines))
    return f"<pre>{text}</pre>"


def _line_html(line: Line | str) -> str:
    if isinstance(line, str):
        return _escaped(line)
    style = STYLES.get(line[0])
    text = _escaped(line_text(line))
    return f'<span style="{style}">{text}</span>' if style else text


def table_html(
    names: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Collection[int] = (),
    note: str | None = None,
) -> str:
    """Return a table; the columns at the positions `numbers` are aligned to the right."""
    styles = [f"text-align:{'right' if n in numbers else 'left'}" for n in range(len(names))]

    def row(tag: str, cells: Iterable[str]) -> str:
        pairs = zip(styles, cells, strict=True)
        return "".join(f'<{tag} style="{style}">{_escaped(cell)}</{tag}>' for style, cell in pairs)

    head = f"<thead><tr>{row('th', names)}</tr></thead>"
    body = "".join(f"<tr>{row('td', each)}</tr>" for each in rows)
    below = f"<p>{_escaped(note)}</p>" if note else ""
    return f"<table>{head}<tbody>{body}</tbody></table>{below}"


def _escaped(text: str) -> str:
    return escape(visible(text, keep="\n\t"))
