"""Write rows of one mart to a file."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from marts.core.authoring.columns import Column
from marts.core.authoring.tables import Mart
from marts.core.errors import EngineError, UsageError
from marts.core.operations import wiring
from marts.core.operations.show import count_rows, publication_of, readable
from marts.core.operations.wiring import Linked
from marts.core.plan.state import RecordedTable
from marts.core.project.settings import Settings
from marts.core.query.contract import schema_of
from marts.core.query.lookup import columns_named, lookup
from marts.core.run.backend import Backend
from marts.core.run.new_file import new_file, refuse_wrong_place
from marts.core.run.streaming import Counted, streamed
from marts.core.run.table_files import format_of

Watch = Callable[[int], None]
"""Is told how many rows are written so far."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which rows of which mart are to be written, and where.

    Without an order and a limit, rows are as the engine has them. Columns that hold personal data
    are left out, unless `include_personal`.
    """

    mart: str
    output: Path
    where: str | None = None
    columns: Sequence[str] = ()
    order_by: Sequence[str] = ()
    limit: int | None = None
    include_personal: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class Export:
    """What was written."""

    wanted: Wanted
    rows: int
    total: int
    """How many rows meet the condition."""
    as_of: datetime.date | None
    """The date of the rows; None if it is not recorded."""
    left_out: tuple[str, ...]
    """The columns that hold personal data, which nobody has asked for."""
    prefixed: int
    """How many texts begin with an apostrophe, so that no spreadsheet program runs them."""


def export(
    settings: Settings,
    wanted: Wanted,
    *,
    watch: Watch = lambda _: None,
    project: Linked | None = None,
) -> Export:
    """Write rows of a published mart to a file, or of a temporary one that is built for it.

    The file appears when it is complete. The project is loaded unless it is given. Raises
    UsageError for what is refused, and EngineError for what fails.
    """
    write = format_of(wanted.output)
    graph, _ = project or wiring.linked(settings)
    wiring.refuse_unknown(wanted.mart, graph)
    mart = graph.project.marts[wanted.mart]
    shown, left_out = _columns(mart, wanted)
    query = lookup(
        mart,
        where=wanted.where,
        columns=[column.name for column in shown],
        order_by=wanted.order_by,
        limit=wanted.limit,
    )
    schema = schema_of(shown)
    refuse_wrong_place(wanted.output, overwrite=wanted.overwrite)
    is_private = any(column.personal for column in shown)
    rows = Counted(watch)
    with (
        wiring.connected(graph, settings, read_only=True) as backend,
        readable(graph, mart, backend, settings) as as_of,
        new_file(wanted.output, overwrite=wanted.overwrite, private=is_private) as file,
    ):
        publication = publication_of(mart, backend)
        with streamed(backend, query, schema, about=mart.name) as batches:
            prefixed = write(file, schema.to_pyarrow(), rows.counting(batches))
        is_cut = rows.count == wanted.limit
        total = count_rows(mart, backend, where=wanted.where) if is_cut else rows.count
        _refuse_change(mart, publication, backend)
    return Export(wanted, rows.count, total, as_of, left_out, prefixed)


def _columns(mart: Mart, wanted: Wanted) -> tuple[list[Column], tuple[str, ...]]:
    """Return the columns to write, and the names of those that are left out: personal data.

    Raises UsageError for those that are asked for by name, and if none is left.
    """
    known = {column.name: column for column in mart.columns}
    asked = columns_named(mart, wanted.columns)
    columns = [known[name] for name in asked or known]
    personal = tuple(column.name for column in columns if column.personal)
    if wanted.include_personal or not personal:
        return columns, ()
    shown = [column for column in columns if not column.personal]
    if asked or not shown:
        raise UsageError(
            f"{mart.name} holds personal data in {', '.join(personal)}",
            hint="pass --include-personal"
            + (f", or leave out of --columns: {', '.join(personal)}" if shown else ""),
        )
    return shown, personal


def _refuse_change(mart: Mart, seen: RecordedTable | None, backend: Backend) -> None:
    """Raise EngineError if a mart was published again meanwhile: its date may be another one."""
    # It looks anew at what is published.
    backend.go_on()
    now = publication_of(mart, backend)
    if (seen and seen.run_id) != (now and now.run_id):
        raise EngineError(
            f"{mart.name} was published again while it was read; nothing was written",
            hint="export it again",
        )
