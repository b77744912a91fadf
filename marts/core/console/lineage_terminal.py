"""Print lineage: the tree of a column, and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from marts.core.console.lineage_messages import Section, TreeLine, without_repeats
from marts.core.console.terminal import (
    LONGEST_LINE,
    PAGES,
    fits,
    print_text,
    refuse_lost_output,
    table_text,
)
from marts.core.run.formats import visible


def print_lineage(sections: Iterable[Section], tree: TreeLine | None = None) -> None:
    """Print a tree, if there is one, and tables below their titles, with room for lists of names.

    Unlike those of rows, the cells of these tables wrap in a pipe, too.
    """
    out = Console(highlight=False)
    if tree:
        # Rich cuts the lines of a tree that are wider than the console, even with a soft wrap.
        Console(highlight=False, width=LONGEST_LINE).print(_tree(tree), soft_wrap=True)
        out.print()
    for section in sections:
        out.print(Text(section.title, style="bold"))
        rows: Sequence[Sequence[str]] = without_repeats(section.rows)
        widest = out.width if out.is_terminal else LONGEST_LINE
        rooms = [room for room in (*PAGES, widest) if room <= widest]
        room = next((room for room in rooms if fits(section.names, rows, room=room)), None)
        if room is None:
            room, rows = widest, section.rows
        print_text(table_text(section.names, rows, room=room) + "\n")
    refuse_lost_output()


def _tree(branch: TreeLine) -> Tree:
    tree = Tree(Text(visible(branch.text)))
    tree.children += map(_tree, branch.branches)
    return tree
