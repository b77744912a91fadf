"""The guide is true: every page is followed, command by command, in a project of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from marts.core.console.guide import PAGES, TOPICS, page_of, title_of
from support.pages import Command, File, Reader, is_shown, steps
from support.processes import call_marts


@pytest.mark.parametrize("topic", TOPICS)
def test_a_page_works_as_printed(topic: str, shop: Path) -> None:
    Reader(shop).follow(page_of(topic))


def test_every_page_is_a_topic() -> None:
    assert {file.stem for file in PAGES.iterdir()} == {*TOPICS}


@pytest.mark.parametrize("topic", TOPICS)
def test_a_page_is_short_and_says_what_it_is_about(topic: str) -> None:
    page = page_of(topic)
    assert len(page.splitlines()) <= 150
    assert max(map(len, page.splitlines())) <= 100
    assert title_of(topic)
    assert page.startswith(f"# {topic.capitalize()}: ")
