"""The description of marts and sources for other programs."""

from __future__ import annotations

from marts import Table, mart, source, string
from marts.core.authoring.tables import Mart
from marts.core.catalog.manifest import describe_mart, describe_source


def a_mart(owner: str | None) -> Mart:
    @mart(grain="a", columns=[string("a")], owner=owner)
    def m(s: Table) -> Table:
        """M."""
        return s

    return m


def test_the_manifest_names_the_owner() -> None:
    s = source("s", doc="S.", grain="a", columns=[string("a")], owner="tills@shop.example")
    assert describe_source(s)["owner"] == "tills@shop.example"
    assert (describe_mart(a_mart("Growth"))["owner"], describe_mart(a_mart(None))["owner"]) == (
        "Growth",
        None,
    )
