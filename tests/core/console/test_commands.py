"""Words that no command has: what is suggested instead."""

from __future__ import annotations

import click
import pytest

from marts.core.console.commands import Commands, with_nearest


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("rn", "No such command 'rn'. Did you mean 'run'?"),
        ("list", "No such command 'list'. Did you mean 'ls'?"),
        ("publish", "No such command 'publish'."),
        ("run --selct a", "No such option '--selct'. Did you mean '--select'?"),
        ("run --limit 5", "No such option '--limit'."),
        ("show a --json", "No such option '--json'. Did you mean '--format json'?"),
        ("compile --json", "No such option '--json'."),
        ("-x", "No such option '-x'."),
    ],
)
def test_an_unknown_word_names_the_nearest_or_none(words: str, said: str) -> None:
    with pytest.raises(click.ClickException) as caught:
        Commands(name="marts").main(words.split(), standalone_mode=False)
    assert with_nearest(caught.value).format_message() == said
