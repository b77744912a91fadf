"""Errors have a grammar: what is wrong, the facts, then the exact edit."""

from __future__ import annotations

import pytest

from marts.core.errors import (
    DefinitionError,
    EngineError,
    MartsError,
    PartlyPublishedError,
    SourceError,
    UsageError,
    did_you_mean,
)


def test_facts_are_indented_and_the_hint_comes_last() -> None:
    error = UsageError("no mart matches bikes", "looked in shop", "and in till", hint="try bike")
    assert str(error).splitlines() == [
        "no mart matches bikes",
        "  looked in shop",
        "  and in till",
        "hint: try bike",
    ]


def test_an_error_needs_neither_facts_nor_hint() -> None:
    assert str(SourceError("the table has no rows")) == "the table has no rows"


@pytest.mark.parametrize("kind", [DefinitionError, SourceError, EngineError, UsageError])
def test_whoever_has_to_move_the_family_catches_it(kind: type[MartsError]) -> None:
    with pytest.raises(MartsError) as caught:
        raise kind("summary", "fact", hint="edit")
    assert (caught.value.summary, caught.value.facts, caught.value.hint) == (
        "summary",
        ("fact",),
        "edit",
    )


def test_a_half_done_publication_says_what_is_new_and_what_is_old() -> None:
    error = PartlyPublishedError(["sales"], ["overview", "totals"], KeyboardInterrupt())
    assert "new: sales" in str(error)
    assert "old: overview, totals" in str(error)
    assert "cause: KeyboardInterrupt" in str(error)
    assert (error.new, error.old) == (("sales",), ("overview", "totals"))


@pytest.mark.parametrize(
    ("word", "guess"),
    [
        ("custmer_id", "did you mean customer_id?"),
        ("amout", "did you mean amount?"),
        ("amount", "did you mean amount?"),
        ("xyzzy", None),
        ("", None),
    ],
)
def test_the_nearest_known_word_is_guessed(word: str, guess: str | None) -> None:
    assert did_you_mean(word, iter(["customer_id", "amount"])) == guess
