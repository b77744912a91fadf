"""What `marts init` prints: what it found, what it wrote, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from marts.core.console.project_writer import Files
from marts.core.project.settings import FILE
from marts.core.scaffold.declarations import NewSource
from marts.core.scaffold.project_files import NewProject


def found_rows(sources: Sequence[NewSource]) -> list[list[str]]:
    """Return a row of a table for each source: its name, size, key, and what it refers to."""
    return [
        [
            source.name,
            "" if source.rows is None else f"{source.rows:,}",
            str(len(source.columns)),
            ", ".join(source.grain) or "none found",
            ", ".join(dict.fromkeys((c.to or "").partition(".")[0] for c in source.checks if c.to)),
        ]
        for source in sources
    ]


def done_lines(folder: Path, project: NewProject, files: Files) -> Iterator[str]:
    """Yield what was written, and the next commands."""
    left = sum(len(source.left_out) for source in project.sources)
    yield f"wrote {len(files.written)} files to {folder}/: {', '.join(files.written)}"
    if files.joins:
        yield f"the settings were added to {FILE}"
    if files.kept:
        yield f"kept as they were: {', '.join(files.kept)}"
    if left:
        things = "1 thing was" if left == 1 else f"{left} things were"
        yield f"{things} not declared: the comments in {project.package}/sources.py say why"
    yield from project.told
    yield ""
    yield "next:"
    if str(folder) != ".":
        yield f"  cd {folder}"
    if project.has_data:
        yield "  marts run"
        yield f"  marts show {project.starter.name}"
    else:
        yield "  marts compile"
        yield "  cat README.md                # how to get data to run on"
