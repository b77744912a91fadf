"""The catalogue as a site: every text is a text, every link leads somewhere, nothing is lost."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from marts.core.catalog.addresses import page
from marts.core.catalog.pages import CheckPage, CheckResult, Site
from support.sites import hostile_site, site_of, written
from support.workshop import SHOP

VOID = {"meta", "link", "input", "br", "wbr", "hr", "img"}


class Page(HTMLParser):
    """The elements of a page that a browser would find, their ids and links, and its text."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: set[tuple[str, str]] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(file.read_text("utf-8"))
        assert self._open == [], file

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an element."""
        self.attributes |= {(tag, name) for name, _ in attrs}
        found = {name: value or "" for name, value in attrs}
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found[name] for name in ("href", "src") if name in found]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an element of SVG without content."""
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Refuse an element that ends within another."""
        assert self._open.pop() == tag, self.file

    def handle_data(self, data: str) -> None:
        """Collect the text."""
        self.text += data


def pages(folder: Path) -> dict[Path, Page]:
    """Return the pages of a site by file."""
    return {file: Page(file) for file in sorted(folder.rglob("*.html"))}


@pytest.fixture(scope="module", params=["toy shop", "hostile"])
def site(request: pytest.FixtureRequest) -> Site:
    """Return the site of the toy shop, or one whose every text attacks its reader."""
    return site_of(SHOP) if request.param == "toy shop" else hostile_site()


def test_every_link_leads_to_a_page_and_an_anchor_of_it(site: Site, tmp_path: Path) -> None:
    found = pages(written(site, tmp_path))
    assert len(found) == 1 + len(site.tables)
    for file, each in found.items():
        assert len(each.ids) == len(set(each.ids)), file
        for link in each.links:
            address, _, anchor = link.partition("#")
            if address.startswith(("data:", "https:")):
                continue
            target = (file.parent / unquote(address)).resolve() if address else file
            assert target.is_file(), (file, link)
            assert not anchor or anchor in found[target].ids, (file, link)


def test_every_text_is_shown_and_nothing_of_it_is_executed(site: Site, tmp_path: Path) -> None:
    found = pages(written(site, tmp_path))
    for each in found.values():
        assert not {name for _, name in each.attributes if name.startswith("on") or name == "style"}
        assert not {tag for tag, _ in each.attributes} & {"img", "iframe", "object", "form", "base"}
    for table in site.tables:
        text = " ".join(found[tmp_path / page(table.name)].text.split())
        shown = [table.name, table.owner, table.proof, *table.tags]
        for column in table.columns:
            shown += [column.name, column.type, column.expression, column.personal, *column.values]
            shown += [column.not_personal]
        for check in table.checks:
            shown += [check.name, *({"fail": "failed"}.get(r.outcome) for r in check.history[:1])]
        for query in table.queries:
            shown += [query.question, *query.sql.values()]
        shown += [*table.sql.values(), *(bar.label for d in table.distributions for bar in d.bars)]
        for words in filter(None, shown):
            assert " ".join(words.split()) in text, (table.name, words)


def test_a_page_names_what_feeds_a_column_and_what_it_feeds(tmp_path: Path) -> None:
    html = (written(site_of(SHOP), tmp_path) / "tables/customer_totals.html").read_text("utf-8")
    (row,) = re.findall(r'<tr id="column-spend">.*?</tr>', html, re.DOTALL)
    assert 'href="../tables/int_paid_orders.html#column-amount"' in row
    (row,) = re.findall(r'<tr id="column-customer_id">.*?</tr>', html, re.DOTALL)
    assert 'href="../tables/shop_overview.html#column-best_customer"' in row
    assert re.search(r'class="badge">key</span>', row)


def test_a_check_of_earlier_runs_is_grey_and_not_counted(tmp_path: Path) -> None:
    site = site_of(SHOP)
    result = CheckResult(run_id="R", at=site.generated_at, outcome="warn", violations=3)
    former = CheckPage(
        name="renamed", description="", severity="", is_declared=False, history=(result,)
    )
    table = replace(site.tables[0], checks=(former,))
    html = (
        written(replace(site, tables=(table,), edges=()), tmp_path) / page(table.name)
    ).read_text("utf-8")
    assert '<a href="#checks"><span class="state">no checks</span></a>' in html
    (row,) = re.findall(r'<tr class="former">.*?</tr>', html, re.DOTALL)
    assert "<code>renamed</code>" in row
    assert "warned, 3 rows" in row


def test_markdown_links_names_and_nothing_outside(tmp_path: Path) -> None:
    text = """# Title

`orders`, `orders.amount`, `nothing`; [a mart](sales/model_sales.md), [the code](code.py),
![picture](https://elsewhere/a.png) <script>alert(1)</script> [bad](javascript:alert(1)),
[web](https://example.com).

| a | b |
|---|---|
| 1 | 2 |
"""
    site = replace(site_of(SHOP), document=text)
    html = (written(site, tmp_path) / "index.html").read_text("utf-8")
    guide = html.partition('id="guide"')[2]
    assert "<h3>Title</h3>" in guide
    assert '<a href="tables/orders.html"><code>orders</code></a>' in guide
    assert '<a href="tables/orders.html#column-amount"><code>orders.amount</code></a>' in guide
    assert "<code>nothing</code>" in guide
    assert '<a href="tables/model_sales.html">a mart</a>, the code' in " ".join(guide.split())
    assert "picture &lt;script&gt;" in guide
    assert '<a href="https://example.com" rel="noreferrer">web</a>' in guide
    assert "<td>1</td>" in guide
    assert "elsewhere" not in unescape(guide)
