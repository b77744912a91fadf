"""Groups: their order, and what is refused because a published number would go unchecked."""

from __future__ import annotations

from typing import Any

import pytest
from ibis.expr.types import Table

from marts import mart, relationship, source, string, table_check
from marts.core.authoring.checks import Check
from marts.core.authoring.tables import Mart
from marts.core.errors import DefinitionError
from marts.core.project.graph import Graph, link
from marts.core.project.groups import Group
from marts.core.project.loading import Declarations
from marts.core.project.selection import select

KEY = string("key", doc="It.")
ROWS = source("rows", doc="Rows.", grain="key", columns=[KEY])


def made(name: str, *inputs: str, checks: tuple[Check, ...] = (), **more: Any) -> Mart:
    """Return a mart of the key alone, in the file of its name."""

    def define(*tables: Table) -> Table:
        """Return some keys."""
        return tables[0]

    define.__name__ = name
    one = mart(grain="key", columns=[string("key")], checks=checks, **more)(_over(define))
    return Mart(**{**vars(one), "parameters": inputs, "location": f"{name}.py:1"})


def _over(define: Any) -> Any:
    def alone(rows: Table) -> Table:
        """Return some keys."""
        return define(rows)

    alone.__name__ = define.__name__
    return alone


def project(*marts: Mart) -> Graph:
    """Return the linked project of some marts."""
    return link(Declarations("toy", {"rows": ROWS}, {each.name: each for each in marts}))


def in_table(name: str, *, of: str = "key") -> Check:
    """Return a check that reads another table."""
    return relationship(of, to=f"{name}.key")


def test_a_group_comes_after_those_that_its_marts_and_their_checks_read() -> None:
    graph = project(
        made("z", "rows", group="first"),
        made("t", "z", materialized="temporary"),
        made("a", "t", group="second"),
        made("by_check", "rows", group="third", checks=(in_table("a"),)),
        made("c", "rows", group="aside"),
        made("plain", "c"),
    )
    order = [group.name for group in graph.groups]
    assert {group.name: group.reads for group in graph.groups} == {
        "first": (),
        "second": ("first",),
        "third": ("second",),
        "aside": (),
        "default": ("aside",),
    }
    assert order.index("first") < order.index("second") < order.index("third")
    assert order.index("aside") < order.index("default")
    assert [group.marts for group in graph.groups if group.name == "second"] == [{"a"}]


def test_one_group_is_the_default() -> None:
    graph = project(made("a", "rows"), made("b", "a"))
    (group,) = graph.groups
    assert group == Group("default", frozenset({"a", "b"}), ())
    assert graph.within("default") is graph


def test_groups_that_read_each_other_are_refused_with_the_path() -> None:
    with pytest.raises(DefinitionError, match=r"^the groups form a cycle: ") as caught:
        project(
            made("a", "rows", group="one"),
            made("t", "a", materialized="temporary"),
            made("b", "t", group="two"),
            made("c", "rows", group="one", checks=(in_table("b"),)),
        )
    assert set(caught.value.facts) == {
        "one reads two: c → b  (c.py:1)",
        "two reads one: b → t → a  (b.py:1)",
    }
    assert caught.value.hint == (
        "put these marts into one group, or move one of them so that one group comes first"
    )


def test_a_check_of_a_temporary_mart_reads_for_every_group_that_builds_it() -> None:
    check = table_check("some", offending=lambda this, b: this.anti_join(b, "key"))
    with pytest.raises(DefinitionError, match=r"^the groups form a cycle: ") as caught:
        project(
            made("t", "rows", materialized="temporary", checks=(check,)),
            made("a", "t", group="one"),
            made("b", "a", group="two"),
        )
    assert "one reads two: a → t → b  (a.py:1)" in caught.value.facts


def test_a_view_of_another_groups_mart_is_refused() -> None:
    with pytest.raises(DefinitionError) as caught:
        project(made("a", "rows", group="one"), made("v", "a", materialized="view"))
    assert str(caught.value) == (
        "the view v of group default reads a of group one\n"
        "  whenever one is published, its rows would change without a check\n"
        "  v.py:1\n"
        'hint: make v materialized="table", or put both in one group'
    )


@pytest.mark.parametrize(
    ("more", "flaw"),
    [
        ({"group": "Finance"}, "group is 'Finance': a name has lower-case letters, digits and"),
        ({"group": ""}, "group is '': a name has"),
        ({"group": "a,b"}, "group is 'a,b': a name has"),
        ({"group": 3}, "group is 3: a name has"),
        ({"group": "a", "materialized": "temporary"}, "it names a group, but a temporary mart is"),
    ],
)
def test_a_wrong_group_is_refused(more: dict[str, Any], flaw: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        made("a", "rows", **more)
    assert any(fact.startswith(flaw) for fact in caught.value.facts)


def test_the_table_that_records_a_group_is_reserved() -> None:
    with pytest.raises(DefinitionError, match="marts_state__finance is the table that records"):
        project(made("marts_state__finance", "rows"))


def test_a_group_is_selected_by_its_name() -> None:
    graph = project(
        made("t", "rows", materialized="temporary"),
        made("a", "t", group="one"),
        made("b", "a", group="two"),
        made("c", "rows"),
    )
    assert select(graph, ["group:one"]) == ("a",)
    assert set(select(graph, ["+group:two"])) == {"t", "a", "b"}
    assert select(graph, ["group:default"]) == ("c",)


def test_a_run_of_a_group_leaves_the_checks_of_others_to_them() -> None:
    graph = project(
        made("a", "rows", group="one"),
        made("b", "rows", group="two", checks=(in_table("a"),)),
    )
    assert [owner.name for owner, _ in graph.wide_checks(["a"])] == ["b"]
    assert graph.within("one").wide_checks(["a"]) == []
    assert [owner.name for owner, _ in graph.within("two").wide_checks(["b"])] == ["b"]
    assert graph.marts_behind("b") == ["a"]
