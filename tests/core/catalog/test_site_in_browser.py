"""The catalogue as its readers meet it: in a browser, from files, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from marts.core.analysis.column_lineage import ProjectLineage, project_lineage
from marts.core.catalog.addresses import column_anchor, page
from marts.core.catalog.pages import Site
from marts.core.project.graph import link
from marts.core.project.loading import load
from support.browsers import Tab, chromium, tab
from support.sites import hostile_site, site_of, written
from support.workshop import SHOP

Name = tuple[str, str]

PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium, once."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def shop() -> Site:
    """Return the site of the toy shop."""
    return site_of(SHOP)


@pytest.fixture(scope="module")
def folder(shop: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the site of the toy shop."""
    return written(shop, tmp_path_factory.mktemp("shop"))


@pytest.mark.parametrize("which", ["marts", "toy_shop", "hostile"])
def test_every_page_opens_from_a_file_asks_for_nothing_and_fits_a_phone(
    which: str, browser: Browser, tmp_path: Path
) -> None:
    site = hostile_site() if which == "hostile" else site_of(link(load(which)))
    written(site, tmp_path)
    for options in ({}, {"viewport": PHONE, "color_scheme": "dark"}):
        with tab(browser, **options) as here:
            for file in sorted(tmp_path.rglob("*.html")):
                here.open(file)
                assert here.page.locator("#theme").is_visible(), "the script has not run"
                wide = here.holds("document.documentElement.scrollWidth - innerWidth")
                assert wide == 0, f"{file} is {wide} pixels too wide"


def test_search_is_used_by_keyboard(browser: Browser, folder: Path) -> None:
    with tab(browser) as here:
        here.open(folder / "index.html")
        here.page.keyboard.press("/")
        here.page.keyboard.type("day of the last")
        found = here.page.get_by_role("option")
        assert found.first.inner_text().split("\n")[:2] == ["column", "last_order_on"]
        here.page.keyboard.press("Escape")
        assert not found.first.is_visible()
        here.page.keyboard.type("model sales")
        here.page.keyboard.press("ArrowDown")
        here.page.keyboard.press("ArrowUp")
        here.page.keyboard.press("ArrowUp")
        here.page.keyboard.press("ArrowDown")
        assert found.first.get_attribute("aria-selected") == "true"
        active = here.page.locator("#search").get_attribute("aria-activedescendant")
        assert found.first.get_attribute("id") == active
        here.page.keyboard.press("Enter")
        here.page.wait_for_url("**/tables/model_sales.html")
        here.page.keyboard.press("/")
        here.page.keyboard.type("What is in shop_overview")
        here.page.keyboard.press("Enter")
        here.page.wait_for_url("**/tables/shop_overview.html#query-first_rows")
        here.page.keyboard.press("/")
        here.page.keyboard.type("nothing of this name")
        assert here.page.locator("#found-status").inner_text() == "Nothing found"


def closure(site: Site, start: Name) -> tuple[set[str], set[str]]:
    """Return the columns that feed one or are fed by it: all directly, and the others."""

    def reached(edges: set[tuple[Name, Name]]) -> set[Name]:
        found = {start}
        while more := {b for a, b in edges if a in found} - found:
            found |= more
        return found - {start}

    direct, every = set[Name](), set[Name]()
    for is_up in (True, False):
        steps = {True: set[tuple[Name, Name]](), False: set[tuple[Name, Name]]()}
        for edge in site.edges:
            ends = (edge.from_table, edge.from_column), (edge.to_table, edge.to_column)
            steps[edge.is_direct].add(ends[::-1] if is_up else ends)
        direct |= reached(steps[True])
        every |= reached(steps[True] | steps[False])
    return {".".join(each) for each in direct}, {".".join(each) for each in every - direct}


def lit(here: Tab) -> Mapping[str, set[str]]:
    """Return the columns that are lit up, by how."""
    script = "how => [...document.querySelectorAll(`[data-lit='${how}']`)].map(e => e.dataset.name)"
    found = {how: here.holds(script, how) for how in ("selected", "direct", "indirect")}
    assert all(len(names) == len(set(names)) for names in found.values())
    return {how: set(names) for how, names in found.items()}


GROUPS = """() => [...document.querySelectorAll(".card .how")].flatMap((how) =>
  [...how.nextElementSibling.querySelectorAll("button")]
    .map((each) => [each.dataset.name, how.innerText]))"""


def kinds_shown(here: Tab) -> dict[str, set[str]]:
    """Return the kinds that are shown of each column; `indirect` alone where none is known."""
    found = {name: words.partition(": ")[::2] for name, words in here.holds(GROUPS)}
    return {name: {*kinds.split(", ")} if kinds else {how} for name, (how, kinds) in found.items()}


def kinds_of(lineage: ProjectLineage, start: Name) -> dict[str, set[str]]:
    """Return by which kinds each column is related to one, through all marts."""
    up = lineage.upstream(*start) if start[0] in lineage.own else {}
    found = {}
    for name, kinds in {**up, **lineage.downstream(*start)}.items():
        shown = {kind for kind in kinds if kind.is_direct} or kinds
        found[".".join(name)] = {kind.value.replace("_", " ") for kind in shown}
    return found


def test_a_column_lights_up_what_feeds_it_and_what_it_feeds(
    browser: Browser, shop: Site, folder: Path
) -> None:
    lineage, said = project_lineage(SHOP), list[set[str]]()
    with tab(browser) as here:
        for table in shop.tables:
            here.open(folder / page(table.name))
            for column in table.columns:
                here.page.locator(f"button.column[data-column='{column.name}']").click()
                start = table.name, column.name
                direct, indirect = closure(shop, start)
                chosen = {".".join(start)}
                assert lit(here) == {"selected": chosen, "direct": direct, "indirect": indirect}
                shown, wanted = kinds_shown(here), kinds_of(lineage, start)
                assert shown.keys() == wanted.keys()
                # Two steps of different indirect kinds are just indirect; no wrong kind is shown.
                assert {n for n in direct if shown[n] != wanted[n]} == set()
                assert {n for n in indirect if not shown[n] <= wanted[n] | {"indirect"}} == set()
                said += [shown[n] for n in indirect]
        assert said.count({"indirect"}) < len(said) / 10
        here.open(folder / page("customer_totals"), f"#{column_anchor('spend')}")
        assert lit(here)["selected"] == {"customer_totals.spend"}


def test_lineage_is_followed_by_keyboard(browser: Browser, shop: Site, folder: Path) -> None:
    with tab(browser) as here:
        here.open(folder / page("model_sales"))
        here.page.locator("button.column[data-column='revenue']").focus()
        here.page.keyboard.press("Enter")
        focused = "document.activeElement.dataset.name ?? null"
        assert here.holds(focused) == "model_sales.revenue"
        here.page.keyboard.press("ArrowLeft")
        at = here.holds(focused)
        assert at in closure(shop, ("model_sales", "revenue"))[0]
        here.page.keyboard.press("Enter")
        assert lit(here)["selected"] == {at}
        assert here.holds(focused) == at
        table, column = at.split(".")
        direct, indirect = closure(shop, (table, column))
        assert (lit(here)["direct"], lit(here)["indirect"]) == (direct, indirect)
        said = here.page.locator("#lineage-status").inner_text()
        assert said.startswith(f"{at} is fed by")
        here.page.locator("#indirect").focus()
        here.page.keyboard.press("Space")
        assert (lit(here)["direct"], lit(here)["indirect"]) == (direct, set())
        here.page.keyboard.press("Escape")
        assert lit(here) == {"selected": set(), "direct": set(), "indirect": set()}


CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (rgb) => rgb.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const rect = at.tagName === "a" && at.querySelector("rect");
      const found = rgba(rect ? getComputedStyle(rect).fill : getComputedStyle(at).backgroundColor);
      if (found[3] === 255) return found;
    }
    return rgba("white");
  };
  const poor = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const ink = rgba(element.closest("svg") ? style.fill : style.color), paper = behind(element);
    const [a, b] = [light(ink), light(paper)].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    texts += 1;
    if (contrast < 4.5) poor.add(`${walker.currentNode.data.trim()}: ${contrast.toFixed(2)}`);
  }
  return [texts, [...poor]];
}"""


def test_both_themes_have_contrast_and_the_chosen_one_is_remembered(
    browser: Browser, folder: Path
) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    for scheme in ("light", "dark"):
        with tab(browser, color_scheme=scheme) as here:
            papers = []
            for name in ("index.html", page("customer_totals")):
                here.open(folder / name)
                if name != "index.html":
                    here.page.locator("button.column[data-column='spend']").click()
                papers.append(here.holds(paper))
                texts, poor = here.holds(CONTRASTS)
                assert texts > 100
                assert poor == []
            here.page.locator("#theme").click()
            other = here.holds(paper)
            here.open(folder / "index.html")
            assert here.holds(paper) == other
            assert {*papers, other} == {"rgb(255, 255, 255)", "rgb(21, 24, 28)"}
            assert len(set(papers)) == 1


FOCUSED = """() => {
  const element = document.activeElement;
  if (element === document.body) return null;
  const style = getComputedStyle(element), rect = element.querySelector(":scope > rect");
  const isOutlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return {
    place: [...document.querySelectorAll("*")].indexOf(element),
    name: element.outerHTML.slice(0, 120),
    isSeen: isOutlined || (rect !== null && getComputedStyle(rect).strokeWidth === "3px"),
  };
}"""
REACHABLE = """() => [...document.querySelectorAll("a[href],button,input,summary,[tabindex='0']")]
  .filter((each) => each.checkVisibility({ visibilityProperty: true }) && !each.disabled).length"""


@pytest.mark.parametrize("name", ["index.html", page("customer_totals")])
def test_the_tab_key_visits_everything_in_order_and_shows_where_it_is(
    name: str, browser: Browser, folder: Path
) -> None:
    with tab(browser) as here:
        here.open(folder / name)
        assert here.holds("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
        places: list[int] = []
        for _ in range(here.holds(REACHABLE)):
            here.page.keyboard.press("Tab")
            focused = here.holds(FOCUSED)
            assert focused, f"the focus is lost after {len(places)} steps"
            assert focused["isSeen"], focused["name"]
            places.append(focused["place"])
        assert places == sorted(set(places))
        here.page.keyboard.press("Tab")
        assert here.holds(FOCUSED) is None, "something more has the focus"


def test_a_page_is_complete_without_its_script(browser: Browser, folder: Path) -> None:
    with tab(browser, java_script_enabled=False) as here:
        here.open(folder / page("customer_totals"))
        assert here.page.locator("pre.sql:visible").count() == 4
        assert not here.page.locator("#lineage-view").is_visible()
        here.page.get_by_role("link", name="int_paid_orders").first.click()
        here.page.wait_for_url("**/tables/int_paid_orders.html")
