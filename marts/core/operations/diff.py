"""Compare two builds of marts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import ibis
import ibis.expr.types as ir

from marts.core.authoring.columns import personal_in
from marts.core.authoring.tables import Mart
from marts.core.errors import UsageError
from marts.core.operations import wiring
from marts.core.operations.sides import Copied, Copy, Watch, copied
from marts.core.operations.wiring import Linked
from marts.core.project.graph import Graph
from marts.core.project.settings import DUCKDB, Settings
from marts.core.query.alignment import aligned
from marts.core.query.comparison import AFTER, BEFORE, SIDES, Comparison, cast
from marts.core.run.backend import Backend, Contract
from marts.core.run.compared import MartDifference
from marts.core.run.comparing import Sides, compared

MEMORY = "2GB"
"""What DuckDB may use for a comparison, unless the settings say it."""


@dataclass(frozen=True)
class Difference:
    """How two builds differ: each in words, and the marts that were compared.

    `absent` are the marts that neither has.
    """

    before: str
    after: str
    marts: tuple[MartDifference, ...]
    absent: tuple[str, ...]

    @property
    def is_different(self) -> bool:
        """Whether any mart differs."""
        return any(mart.is_different for mart in self.marts)


def diff(
    settings: Settings,
    against: Path,
    *,
    watch: Watch = lambda _mart, _rows: None,
    project: Linked | None = None,
) -> Difference:
    """Compare the published marts with those in another DuckDB database.

    The project is loaded unless it is given. Raises UsageError for what is refused, and EngineError
    for what fails.
    """
    graph, selected, _ = wiring.selected(settings, project)
    names = _published(graph, selected, settings)
    other = replace(
        settings,
        backend=DUCKDB,
        env=None,
        database=str(against),
        elsewhere=None,
        given=settings.given | {"database"},
    )
    with tempfile.TemporaryDirectory(prefix="marts_diff_") as given:
        folder = Path(given)
        before = copied(graph, other, names, folder / BEFORE, watch)
        after = copied(graph, settings, names, folder / AFTER, watch)
        found = [name for name in names if name in before.marts or name in after.marts]
        if not found:
            raise UsageError(
                "none of the selected marts is published on either side",
                before.where,
                after.where,
                hint="publish them: marts run",
            )
        marts = [_compared(graph, name, before, after, settings, folder) for name in found]
    absent = tuple(name for name in names if name not in found)
    return Difference(before.where, after.where, tuple(marts), absent)


def _published(graph: Graph, selected: Iterable[str], settings: Settings) -> list[str]:
    """Return the selected marts that can be published; refuse temporary ones that are named."""
    marts = graph.project.marts
    temporary = [name for name in selected if marts[name].is_temporary]
    if named := [name for name in temporary if name in settings.select]:
        raise UsageError(
            f"{', '.join(named)}: temporary, so it is not published anywhere",
            hint="compare marts that read it",
        )
    names = [name for name in selected if name not in temporary]
    if not names:
        raise UsageError("only temporary marts are selected", hint="select marts that read them")
    return names


def _compared(
    graph: Graph, name: str, before: Copied, after: Copied, settings: Settings, folder: Path
) -> MartDifference:
    mart, first, second = graph.project.marts[name], before.marts.get(name), after.marts.get(name)
    plain = MartDifference(
        mart=name,
        grain=mart.grain,
        rows=(first.rows if first else None, second.rows if second else None),
        as_of=(first.as_of if first else None, second.as_of if second else None),
    )
    if first is None or second is None:
        return replace(plain, notes=(f"only {BEFORE if second is None else AFTER} has it",))
    columns = {column.name: column for column in mart.columns}
    is_one = before.engine == after.engine
    how = aligned(columns, mart.grain, first.found, second.found, one_engine=is_one)
    if how.comparison is None:
        return replace(plain, notes=how.notes)
    with _opened(settings, {BEFORE: first, AFTER: second}, folder) as backend:
        found = compared(_sides(mart, how.comparison, (first, second), how.notes), backend)
    return replace(found, as_of=plain.as_of)


def _sides(
    mart: Mart, comparison: Comparison, copies: tuple[Copy, Copy], notes: tuple[str, ...]
) -> Sides:
    """Return two tables with the same columns and types, of which the rows can be paired."""
    before, after = (
        _with_types(ibis.table(ibis.schema(dict(copy.types)), name=side), comparison)
        for side, copy in zip(SIDES, copies, strict=True)
    )
    known = {column.name for column in mart.columns}
    # What the contract does not know may hold personal data.
    personal = {*personal_in(mart.columns), *(comparison.types.keys() - known)}
    return Sides(mart.name, comparison, before, after, personal, notes)


def _with_types(table: ir.Table, comparison: Comparison) -> ir.Table:
    return table.select(
        **{
            name: table[name] if table[name].type() == kind else cast(table[name], kind)
            for name, kind in comparison.types.items()
        }
    )


@contextmanager
def _opened(settings: Settings, copies: Mapping[str, Copy], folder: Path) -> Iterator[Backend]:
    """Open DuckDB on copies, with room for what does not fit into memory."""
    from backends.factory import connect

    own = Settings(
        database=str(folder / "comparison.duckdb"),
        sources={name: str(copy.file.resolve()) for name, copy in copies.items()},
        threads=settings.threads if settings.backend == DUCKDB else None,
        memory_limit=settings.memory_limit or MEMORY,
    )
    backend = connect(
        own,
        data=None,
        sources={name: Contract(ibis.schema(dict(copy.types))) for name, copy in copies.items()},
        version=wiring.version_of_marts(),
        read_only=False,
    )
    try:
        yield backend
    finally:
        backend.close()
