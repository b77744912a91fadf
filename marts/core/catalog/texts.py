"""Texts of a project as HTML: Markdown, SQL, numbers and times; nothing of them is executed."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any, Literal

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import SqlLexer

Address = Callable[[str], str | None]
"""Returns where a name leads: `table`, or `table.column`; None for any other text."""

TOP_HEADING = 3
"""A document is a section of a page, below a heading of the second level."""


class _Renderer(RendererHTML):
    """Renders code that names a table or column as a link, and no image: it would be a request."""

    def code_inline(
        self, tokens: Sequence[Token], idx: int, _options: OptionsDict, env: EnvType
    ) -> str:
        """Return code, as a link if it is a name."""
        text = tokens[idx].content
        code = Markup("<code>{}</code>").format(text)
        address = None if _is_linked(tokens, idx) else env["address"](text)
        return Markup('<a href="{}">{}</a>').format(address, code) if address else code

    def image(self, tokens: Sequence[Token], idx: int, _options: OptionsDict, _env: EnvType) -> str:
        """Return the text of an image."""
        return escape(tokens[idx].content)

    def fence(self, tokens: Sequence[Token], idx: int, _options: OptionsDict, _env: EnvType) -> str:
        """Return a block of code, highlighted if it says that it is SQL."""
        token = tokens[idx]
        if token.info.strip().lower() == "sql":
            return Markup("<pre>{}</pre>").format(sql(token.content))
        return Markup("<pre><code>{}</code></pre>").format(token.content)


def _is_linked(tokens: Sequence[Token], at: int) -> bool:
    return sum(token.nesting for token in tokens[:at] if token.type.startswith("link_")) > 0


DOCUMENT = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer)
DOCUMENT.enable(["table", "strikethrough"])
TEXT = MarkdownIt("zero", renderer_cls=_Renderer).enable("backticks")
"""Paragraphs and code: a star or an underscore in a description is one."""


def document(text: str, address: Address) -> Markup:
    """Return Markdown as HTML; raw HTML in it is text, and a link to a file leads nowhere."""
    env = {"address": address}
    tokens = DOCUMENT.parse(text, env)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + TOP_HEADING - 1, 6)}"
        if token.children:
            token.children = _with_links_that_lead(token.children, address)
    return Markup(DOCUMENT.renderer.render(tokens, DOCUMENT.options, env))  # noqa: S704  (it escapes)


def _with_links_that_lead(tokens: list[Token], address: Address) -> list[Token]:
    """Return tokens whose links lead to pages of this site or of the web; others are their text."""
    kept, is_dropped = [], False
    for token in tokens:
        if token.type == "link_open":
            href = str(token.attrs["href"])
            leads = href if href.partition(":")[0] in ("http", "https", "mailto") else None
            if leads is None:
                stem = href.rpartition("/")[2].partition("#")[0]
                leads = address(stem.removesuffix(".md").removesuffix(".py"))
            is_dropped = leads is None
            token.attrs["href"] = leads or ""
            if leads == href:
                token.attrs["rel"] = "noreferrer"
        if token.type.startswith("link_") and is_dropped:
            continue
        kept.append(token)
    return kept


def text(words: str, address: Address) -> Markup:
    """Return a description as paragraphs, in which code that is a name is a link."""
    html = TEXT.render(words.strip(), {"address": address})
    return Markup(html)  # noqa: S704  (the renderer escapes)


def line(words: str, address: Address) -> Markup:
    """Return a description without paragraphs."""
    html = TEXT.renderInline(" ".join(words.split()), {"address": address})
    return Markup(html)  # noqa: S704  (the renderer escapes)


def summary(words: str) -> str:
    """Return the first paragraph of a description."""
    return " ".join(words.strip().partition("\n\n")[0].split())


def sql(statement: str) -> Markup:
    """Return SQL as highlighted code."""
    formatter: Any = HtmlFormatter(nowrap=True)
    html = highlight(statement.strip("\n"), SqlLexer(stripnl=False), formatter)
    return Markup("<code>{}</code>").format(Markup(html.rstrip("\n")))  # noqa: S704  (it escapes)


def minute(at: datetime.datetime) -> str:
    """Return a time to the minute in UTC; one without a zone is in UTC."""
    utc = at.astimezone(datetime.UTC) if at.tzinfo else at
    return f"{utc:%Y-%m-%d %H:%M}"


def moment(at: datetime.datetime, zone: str = " UTC") -> Markup:
    """Return a time to the minute in UTC, for people and for programs."""
    shown = minute(at)
    return Markup('<time datetime="{}Z">{}{}</time>').format(shown.replace(" ", "T"), shown, zone)


def duration(seconds: float | None) -> str:
    """Return seconds in words."""
    if seconds is None:
        return ""
    if seconds < 0.995:
        return f"{seconds:.2g} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def number(value: float | None) -> str:
    """Return a number with its thousands apart, and at most two decimals unless it is small."""
    if value is None:
        return ""
    if isinstance(value, int) or value.is_integer():
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.3g}"


def count(value: int, noun: str, plural: str | None = None) -> str:
    """Return a count with its noun."""
    return f"{value:,} {noun if value == 1 else plural or f'{noun}s'}"


def breakable(text: str, after: Literal["/", "_"] = "/") -> Markup:
    """Return a path that may be broken after a slash, or a name after an underscore."""
    return Markup(f"{after}<wbr>").join(text.split(after))  # noqa: S704  (it is one of two signs)
