"""Which columns hold personal data: declared, inherited along direct lineage, and refused."""

from __future__ import annotations

from pathlib import Path

import ibis
import pytest
from ibis.expr.types import Table

from marts import int64, labels, mart, source, string
from marts.core.analysis.personal import declared, marked, personal_columns, shown_by, unprotected
from marts.core.authoring.columns import Column
from marts.core.authoring.tables import Mart
from marts.core.errors import DefinitionError
from support.workshop import SHOP, project_of

MEMBERS = source(
    "members",
    doc="Members.",
    grain="member",
    columns=[
        string("member"),
        string("name", personal="name"),
        string("email", personal="email", null=True),
        string("city"),
    ],
)


@mart(
    grain="member",
    materialized="temporary",
    columns=[string("member"), string("called"), string("email", null=True), string("city")],
)
def int_members(members: Table) -> Table:
    """Members, under other names."""
    return members.mutate(called=members.name.upper())


def letters(*columns: Column) -> Mart:
    """Return a published mart with these columns, beside its key."""

    @mart(grain="member", columns=[string("member"), *columns])
    def mailing(int_members: Table) -> Table:
        """Who gets a letter."""
        t = int_members
        return t.mutate(
            greeting=ibis.literal("Dear ") + t.called,
            length=t.called.length(),
            sender=t.called + " <" + t.email.fill_null("") + ">",
            kind=ibis.cases((t.called == "ANN", "friend"), else_="member"),
        )

    return mailing


GREETING = "column greeting holds personal data (name) and does not say so"
PATH = "members.name → int_members.called → mailing.greeting"


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (string("greeting", personal="name"), "name"),
        (int64("length", not_personal="a number of characters"), None),
        (string("sender", personal="contact"), "contact"),
        (string("sender", personal="email"), "email"),
        # Indirect lineage carries no value; nor do columns without personal data.
        (string("kind"), None),
        (string("city"), None),
        (string("city", personal="address"), "address"),
    ],
)
def test_a_published_column_is_what_it_says(column: Column, kind: str | None) -> None:
    graph = project_of(MEMBERS, int_members, letters(column))
    found = personal_columns(graph)
    assert found.get(("mailing", column.name)) == kind
    assert found["int_members", "called"] == "name"
    assert ("int_members", "city") not in found
    assert declared(marked(graph).project) == found


@pytest.mark.parametrize(
    ("column", "flaw", "path", "hint"),
    [
        (
            string("greeting"),
            GREETING,
            PATH,
            'write personal="name" in greeting; or, for a column that shows nothing of them',
        ),
        (
            string("greeting", personal="email"),
            "column greeting is personal='email', but holds name",
            PATH,
            'write personal="name" in greeting',
        ),
        (
            string("sender"),
            "column sender holds personal data of several kinds: email, name",
            "members.email → int_members.email → mailing.sender",
            'write personal="KIND" in sender',
        ),
        (
            string("city", not_personal="too large"),
            "column city is not_personal, but no personal data reach it",
            None,
            "leave out not_personal of city",
        ),
    ],
)
def test_what_a_published_column_must_say(
    column: Column, flaw: str, path: str | None, hint: str
) -> None:
    with pytest.raises(DefinitionError) as refused:
        personal_columns(project_of(MEMBERS, int_members, letters(column)))
    first, *facts = map(str.strip, str(refused.value).splitlines())
    assert first == "mart mailing declares wrongly which columns hold personal data"
    assert facts[0] == flaw
    assert path is None or path in facts
    assert any(f"{Path(__file__).name}:" in fact for fact in facts)
    assert facts[-1].startswith(f"hint: {hint}")


@mart(
    grain="member",
    columns=[string("member"), string("sender", personal="contact"), string("city")],
)
def copied(mailing: Table) -> Table:
    """A mart that reads a published one."""
    return mailing.mutate(city=mailing.kind)


@pytest.mark.parametrize(
    ("protected", "reached"),
    [
        ({"email", "name"}, {"email", "name"}),
        ({"email"}, {"email"}),
        # It has an entry of its own; or nothing that reaches it has one.
        ({"email", "contact"}, set[str]()),
        ({"birthday"}, set[str]()),
        (set[str](), set[str]()),
    ],
)
def test_a_column_of_a_kind_without_protection_shows_a_protected_one(
    protected: set[str], reached: set[str]
) -> None:
    sender = letters(
        string("sender", personal="contact"),
        int64("length", not_personal="a number of characters"),
        string("kind"),
    )
    graph = marked(project_of(MEMBERS, int_members, sender, copied))
    found = unprotected(graph, protected)
    both = {("mailing", "sender"), ("copied", "sender")}
    assert found.keys() == (both if reached else set())
    assert all(found[at].keys() == reached for at in found)
    if "email" in reached:
        path = "members.email → int_members.email → mailing.sender → copied.sender"
        assert found["copied", "sender"]["email"] == path


def test_the_edits_of_several_flaws_are_sentences() -> None:
    shown = letters(string("greeting"), string("city", not_personal="too large"))
    with pytest.raises(DefinitionError) as refused:
        personal_columns(project_of(MEMBERS, int_members, shown))
    hint = str(refused.value).splitlines()[-1]
    assert hint.startswith(
        'hint: write personal="name" in greeting; leave out not_personal of city; or, for a column'
    )


def test_all_columns_of_a_mart_are_named_at_once() -> None:
    shown = letters(string("greeting"), string("email", null=True), labels("kind", else_="member"))
    with pytest.raises(DefinitionError) as refused:
        personal_columns(project_of(MEMBERS, int_members, shown))
    assert str(refused.value).count(" and does not say so") == 2


def test_a_project_without_personal_data_has_none() -> None:
    assert personal_columns(SHOP) == {}
    assert marked(SHOP).project == SHOP.project


def test_a_query_shows_what_it_reads_directly() -> None:
    graph = marked(project_of(MEMBERS, int_members, letters(string("greeting", personal="name"))))
    t = ibis.table({"member": "string", "name": "string", "email": "string"}, name="members")
    query = t.filter(t.email.isnull()).select("member", n=t.name.length(), is_ann=t.email == "a")
    assert shown_by(query, declared(graph.project)) == {"n", "is_ann"}
    assert shown_by(t.group_by("member").aggregate(latest=t.email.max()), {}) == frozenset()
    grouped = t.group_by("name").aggregate(rows=t.count())
    assert shown_by(grouped, declared(graph.project)) == {"name"}
