"""Print a run that had nothing to do, as the last one had; needs nothing that plans."""

from __future__ import annotations

from marts.core.console import exit_codes, terminal
from marts.core.operations.unchanged import Memo


def print_again(memo: Memo, *, as_json: bool) -> int:
    """Print what the run has printed before, with its own results; return the exit code."""
    console = terminal.console(to_stderr=as_json)
    console.print(memo.head)
    for line in memo.lines:
        terminal.say(console, line)
    if as_json:
        terminal.print_json(memo.results)
    return exit_codes.DONE
