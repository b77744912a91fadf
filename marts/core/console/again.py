"""Print a run that had nothing to do, as the last one had; needs nothing that plans."""

from __future__ import annotations

from collections.abc import Sequence

from marts.core.console import exit_codes, terminal
from marts.core.errors import EngineError
from marts.core.operations.unchanged import Memo


def print_again(memo: Memo, errors: Sequence[EngineError], *, as_json: bool) -> int:
    """Print what the run has printed before, with its own results; return the exit code.

    The errors are those of writing its results.
    """
    console = terminal.console(to_stderr=as_json)
    console.print(memo.head)
    for line in memo.lines:
        terminal.say(console, line)
    lost = terminal.json_lost(memo.results) if as_json else []
    exit_codes.warn_of([*errors, *lost], is_published=True)
    return exit_codes.DONE
