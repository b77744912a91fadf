"""The guide: one page of Markdown for each topic."""

from __future__ import annotations

from marts.core import FOLDER

TOPICS = (
    "start",
    "sources",
    "data",
    "marts",
    "checks",
    "views",
    "tags",
    "selection",
    "lineage",
    "explain",
    "docs",
    "personal",
    "queries",
    "invariants",
    "proof",
    "references",
    "witness",
    "testing",
    "groups",
    "environments",
    "status",
    "export",
    "diff",
    "python",
    "ci",
    "schedule",
    "attest",
    "dbt",
    "snowflake",
    "deploy",
    "publication",
    "upgrading",
    "artifacts",
)
"""The topics, in the order in which a newcomer needs them."""

PAGES = FOLDER / "guide"


def page_of(topic: str) -> str:
    """Return the page of a topic, as Markdown."""
    return (PAGES / f"{topic}.md").read_text("utf-8")


def title_of(topic: str) -> str:
    """Return what a topic is about, in a line: the title of its page without the topic."""
    title, _, _ = page_of(topic).partition("\n")
    return title.partition(": ")[2]
