"""Where the site has a table, a column, a check or a query: file names and anchors."""

from __future__ import annotations

import hashlib
import re

LONGEST = 120
"""The letters of a file name; file systems take 255 bytes."""


def slug(name: str) -> str:
    """Return a name as part of an address; two names, also `A` and `a`, have different ones."""
    safe = re.sub(r"[^a-z0-9_]", lambda found: f"-{ord(found[0]):x}-", name)
    if len(safe) <= LONGEST:
        return safe
    # A single hyphen followed by 16 digits: no other slug ends so.
    return f"{safe[: LONGEST - 17]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def page(table: str) -> str:
    """Return the address of a table's page, from the site's folder."""
    return f"tables/{slug(table)}.html"


def column_anchor(column: str) -> str:
    """Return the anchor of a column on its table's page."""
    return f"column-{slug(column)}"


def query_anchor(query: str) -> str:
    """Return the anchor of an example query on a table's page."""
    return f"query-{slug(query)}"
