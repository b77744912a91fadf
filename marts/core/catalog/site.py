"""The catalogue as a static site: pages that open from a file and send no request."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from marts.core.authoring.tables import INTERMEDIATE
from marts.core.catalog import addresses, charts, index, texts
from marts.core.catalog.drawing import picture
from marts.core.catalog.pages import CheckPage, CheckResult, ColumnEdge, Site, TablePage

HERE = Path(__file__).parent
STATIC = HERE / "static"
GENERATOR = "marts docs"
FOR_MARTS = "Intermediate tables, for marts alone"

SHOWN_RUNS = 24
"""The results of a check that its strip has."""
SHOWN_INDIRECT = 8
"""The most columns that decide a value of which a page names each."""
WORDS = {
    "pass": "passed",
    "held": "passed before, on the same rows",
    "skipped": "skipped",
    "acknowledged": "acknowledged",
    "warn": "warned",
    "fail": "failed",
}
"""By outcome, from the best to the worst."""
GOOD = {"pass", "held"}
KINDS = {"source": "Source", "table": "Table", "view": "View", "temporary": "Temporary table"}


@dataclass(frozen=True)
class Standing:
    """How the latest results of some checks are: how many by outcome, how many have none."""

    counts: Mapping[str, int]
    unknown: int

    @property
    def worst(self) -> str:
        """The worst outcome; `unknown` where no check has a result."""
        return next((each for each in reversed(WORDS) if self.counts[each]), "unknown")

    @property
    def words(self) -> str:
        """The counts in words, the worst first."""
        found = [f"{self.counts[each]:,} {WORDS[each]}" for each in reversed(WORDS)]
        said = [each for each in found if not each.startswith("0 ")]
        if self.unknown:
            said.append(f"{self.unknown:,} not run")
        return ", ".join(said) or "no checks"


def standing(checks: Sequence[CheckPage]) -> Standing:
    """Return how the checks that are declared stand by their latest results."""
    now = [check for check in checks if check.is_declared]
    found = [check.history[0].outcome for check in now if check.history]
    latest = ["pass" if outcome in GOOD else outcome for outcome in found]
    counts = {each: latest.count(each) for each in WORDS}
    return Standing(counts, len(now) - sum(counts.values()))


def by_urgency(checks: Sequence[CheckPage]) -> list[CheckPage]:
    """Return checks, those first whose latest results are the worst; those of earlier runs last."""
    ranks = {each: -n for n, each in enumerate(WORDS)}

    def rank(check: CheckPage) -> tuple[bool, int]:
        of_latest = ranks.get(check.history[0].outcome, 0) if check.history else 1
        return not check.is_declared, of_latest

    return sorted(checks, key=rank)


def checks_of(table: TablePage, column: str) -> list[CheckPage]:
    """Return the checks that are about a column."""
    return [check for check in table.checks if column in check.columns]


def indirect_only(edges: Sequence[ColumnEdge]) -> int:
    """Return how many columns feed one indirectly, and not directly too."""
    ways: dict[tuple[str, str], set[bool]] = defaultdict(set)
    for edge in edges:
        ways[edge.from_table, edge.from_column].add(edge.is_direct)
    return sum(True not in each for each in ways.values())


def history_in_words(history: Sequence[CheckResult]) -> str:
    """Return how often a check did not pass, and when last."""
    shown = history[:SHOWN_RUNS]
    bad = [result for result in shown if result.outcome not in GOOD]
    runs = texts.count(len(shown), "run")
    if not bad:
        return f"passed in {'the only run' if len(shown) == 1 else f'all {runs}'}"
    word, day = WORDS.get(bad[0].outcome, bad[0].outcome), texts.minute(bad[0].at)[:10]
    return f"passed in {len(shown) - len(bad)} of {runs}; last {word} on {day}"


class _Names:
    """Where the names in texts lead, seen from a page."""

    def __init__(self, project: _Project, root: str = "", table: TablePage | None = None) -> None:
        self._root, self._here = root, table
        self._columns = project.columns

    def __call__(self, name: str) -> str | None:
        table, _, column = name.partition(".")
        if not column and self._here and name in self._columns[self._here.name]:
            table, column = self._here.name, name
        if table not in self._columns or (column and column not in self._columns[table]):
            return None
        page = f"{self._root}{addresses.page(table)}"
        return f"{page}#{addresses.column_anchor(column)}" if column else page


class _Project:
    """A site, with what its pages ask of it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.tables = {table.name: table for table in site.tables}
        self.columns = {table.name: {c.name for c in table.columns} for table in site.tables}
        self.marts = [table for table in site.tables if table.kind != "source"]
        self.sources = [table for table in site.tables if table.kind == "source"]

    @cached_property
    def parts(self) -> dict[str, list[TablePage]]:
        """The marts by the title of their part: by group, then those for no reader."""
        found: dict[tuple[bool, str], list[TablePage]] = defaultdict(list)
        for table in sorted(self.marts, key=lambda each: each.name):
            is_internal = table.kind == "temporary" or table.name.startswith(INTERMEDIATE)
            group = f"Group {table.group}" if table.group else "Marts for readers"
            found[is_internal, FOR_MARTS if is_internal else group].append(table)
        return {title: found[each, title] for each, title in sorted(found)}

    @cached_property
    def tags(self) -> list[str]:
        """The tags of all marts."""
        return sorted({tag for table in self.marts for tag in table.tags})

    @cached_property
    def questions(self) -> list[tuple[TablePage, Any]]:
        """The example queries, each once, with the first table that it reads."""
        pairs = [(table, query) for table in self.site.tables for query in table.queries]
        return [(table, query) for table, query in pairs if query.is_listed(table.name)]

    @cached_property
    def checks(self) -> list[CheckPage]:
        """All checks."""
        return [check for table in self.site.tables for check in table.checks]

    @cached_property
    def fed_by(self) -> Mapping[tuple[str, str], list[ColumnEdge]]:
        """The edges into each column."""
        found = defaultdict(list)
        for edge in self.site.edges:
            found[edge.to_table, edge.to_column].append(edge)
        return found

    @cached_property
    def feeds(self) -> Mapping[tuple[str, str], list[ColumnEdge]]:
        """The edges out of each column."""
        found = defaultdict(list)
        for edge in self.site.edges:
            found[edge.from_table, edge.from_column].append(edge)
        return found


def write_site(site: Site, folder: Path, tell: Callable[[str], None] = lambda _: None) -> None:
    """Write the site of a project to an empty folder: pages, style and script.

    They are `index.html` and a page for each table. No page sends a request. `tell` is told which
    page is being written.
    """
    project, environment = _Project(site), _environment()
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(_start_page(project, environment), "utf-8")
    for number, table in enumerate(site.tables):
        tell(f"writing {table.name}, page {number + 1:,} of {len(site.tables):,}")
        text = _table_page(project, table, number, environment)
        (folder / addresses.page(table.name)).write_text(text, "utf-8")
    (folder / "data.js").write_text(index.script(site), "utf-8")
    for file in STATIC.iterdir():
        shutil.copyfile(file, folder / file.name)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "breakable": texts.breakable,
        "count": texts.count,
        "duration": texts.duration,
        "minute": texts.minute,
        "moment": texts.moment,
        "number": texts.number,
        "slug": addresses.slug,
        "summary": texts.summary,
    }
    environment.globals |= {
        "GENERATOR": GENERATOR,
        "KINDS": KINDS,
        "SHOWN_INDIRECT": SHOWN_INDIRECT,
        "SHOWN_RUNS": SHOWN_RUNS,
        "WORDS": WORDS,
        "by_urgency": by_urgency,
        "chart": charts.chart,
        "checks_of": checks_of,
        "column_anchor": addresses.column_anchor,
        "history_in_words": history_in_words,
        "indirect_only": indirect_only,
        "page": addresses.page,
        "query_anchor": addresses.query_anchor,
        "sql": texts.sql,
        "standing": standing,
    }
    return environment


def _start_page(project: _Project, environment: Environment) -> str:
    names = _Names(project)
    return environment.get_template("index.html").render(
        project=project,
        site=project.site,
        root="",
        picture=picture(project.site.tables),
        **_texts(names),
    )


def _table_page(project: _Project, table: TablePage, number: int, environment: Environment) -> str:
    names = _Names(project, "../", table)
    return environment.get_template("table.html").render(
        project=project,
        site=project.site,
        root="../",
        table=table,
        number=number,
        **_texts(names),
    )


def _texts(names: _Names) -> dict[str, Any]:
    """Return what turns a project's texts to HTML, with links that are right on the page."""
    return {
        "address": names,
        "document": lambda words: texts.document(words, names),
        "text": lambda words: texts.text(words, names),
        "line": lambda words: texts.line(words, names),
    }
