"""The picture of the graph: whatever the graph, boxes are apart and lines lead from box to box."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from marts.core.catalog.drawing import layers, picture
from marts.core.catalog.pages import TablePage


def table(name: str, *inputs: str) -> TablePage:
    return TablePage(
        name=name,
        kind="table",
        description="",
        grain=(),
        location="",
        columns=(),
        inputs=inputs,
    )


@st.composite
def graphs(draw: st.DrawFn) -> list[TablePage]:
    """Draw tables, each of which reads some of those before it; they come in any order."""
    found: list[TablePage] = []
    for n in range(draw(st.integers(0, 14))):
        names = [each.name for each in found]
        reads = draw(st.sets(st.sampled_from(names), max_size=4)) if names else set()
        name = draw(st.text("ab_", max_size=50)) + str(n)
        found.append(table(name, *sorted(reads)))
    return draw(st.permutations(found))


@given(graphs())
def test_boxes_are_apart_and_lines_lead_from_a_table_to_its_readers(
    tables: list[TablePage],
) -> None:
    drawn = picture(tables)
    boxes = {box.table.name: box for box in drawn.boxes}
    assert list(boxes) == [each.name for each in tables]
    for box in drawn.boxes:
        assert min(box.x, box.y) >= 0
        assert box.x + box.width <= drawn.width
        assert box.y + box.height <= drawn.height
        for other in drawn.boxes:
            is_left = box.x + box.width < other.x
            is_above = box.y + box.height < other.y
            is_right = other.x + other.width < box.x
            is_below = other.y + other.height < box.y
            assert other is box or is_left or is_above or is_right or is_below
    ends = {(line.start, line.end): line.path for line in drawn.lines}
    numbers = {each.name: n for n, each in enumerate(tables)}
    assert set(ends) == {
        (numbers[each], numbers[reader.name]) for reader in tables for each in reader.inputs
    }
    for (start, end), path in ends.items():
        first, last = drawn.boxes[start], drawn.boxes[end]
        assert path.startswith(f"M{first.x + first.width:.1f} {first.y + first.height / 2:.1f}C")
        assert path.endswith(f" {last.x:.1f} {last.y + last.height / 2:.1f}")
        columns = [float(step.split()[-2]) for step in path.replace("H", "C").split("C")[1::2]]
        assert all(a < b for a, b in pairwise([first.x, *columns]))


def test_a_layer_is_the_longest_way_from_a_source() -> None:
    tables = [table("d", "a", "c"), table("a"), table("c", "b"), table("b", "a", "unknown")]
    assert layers(tables) == {"a": 0, "b": 1, "c": 2, "d": 3}
