"""Chromium without a window, which reads pages from files and may send no request."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

PATIENCE = 180_000
"""Milliseconds to wait for a page, or an element of it."""
PROGRAMS = ("chromium", "google-chrome", "chromium-browser")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the Chromium that is installed; skip the test where none is, but not in CI."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        why = f"no browser is installed, none of {', '.join(PROGRAMS)}"
        if os.environ.get("CI"):
            pytest.fail(f"{why}: .ci/run installs one")
        pytest.skip(why)
    with sync_playwright() as playwright:
        # Chromium refuses its sandbox to root.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Tab:
    """A page, and what it said and asked for that a page of the catalogue must not."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def open(self, file: Path, anchor: str = "") -> None:
        """Open a file."""
        self.page.goto(f"{file.as_uri()}{anchor}")

    def holds(self, script: str, argument: Any = None) -> Any:
        """Return what a script says of the page."""
        return self.page.evaluate(script, argument)


@contextmanager
def tab(browser: Browser, **options: Any) -> Iterator[Tab]:
    """Open a tab with a storage of its own; its end refuses what it complained of."""
    usual = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}
    context = browser.new_context(**usual | options)
    # A slow machine is not a fault of a page.
    context.set_default_timeout(PATIENCE)
    found = Tab(context.new_page())

    def refuse(route: Route) -> None:
        if route.request.url.startswith("file:"):
            route.continue_()
        else:
            found.complaints.append(f"it asks for {route.request.url}")
            route.abort()

    context.route("**/*", refuse)
    found.page.on("console", lambda message: found.complaints.append(message.text))
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    yield found
    context.close()
    assert found.complaints == []
