"""The messages of `marts export`."""

from __future__ import annotations

from collections.abc import Iterator

from marts.core.console.messages import Line
from marts.core.operations.export import Export
from marts.core.run.formats import counted


def export_lines(done: Export) -> Iterator[Line]:
    """Yield what was left out or changed, and what was written."""
    if done.left_out:
        columns = counted(len(done.left_out), "column")
        names = ", ".join(done.left_out)
        them = "them" if done.left_out[1:] else "it"
        yield "skip", f"{columns} of personal data: {names}; --include-personal includes {them}"
    if done.prefixed:
        texts = counted(done.prefixed, "text")
        yield (
            "warn",
            f"put an apostrophe before {texts} that a spreadsheet program would run as a formula",
        )
    of_all = f" of {done.total:,}" if done.rows < done.total else ""
    rows = f"{done.rows:,}{of_all} row{'' if (done.rows, of_all) == (1, '') else 's'}"
    as_of = f" as of {done.as_of}" if done.as_of else ""
    yield "done", f"{rows} of {done.wanted.mart}{as_of} → {done.wanted.output}"
