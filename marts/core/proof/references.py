"""References: the pandas twins of marts, found, called on worlds, and their results as tables.

A mart's twin receives the sources as DataFrames of which each cell is exact: no whole number with
nulls becomes a float, no amount of money is binary. What it returns is read as strictly.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from marts.core.authoring.expressions import AS_OF
from marts.core.authoring.proofs import ForProof, Twin
from marts.core.authoring.signature import line_within
from marts.core.authoring.tables import Mart, Source, checked_key
from marts.core.errors import DefinitionError, MartsError, attribute_hint, did_you_mean
from marts.core.project.graph import Graph
from marts.core.project.loading import Declarations
from marts.core.proof.cells import UnfitError, array_of, converter_of
from marts.core.proof.worlds import World
from marts.core.query.contract import schema_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Reference:
    """A mart and its twin."""

    mart: Mart
    twin: Twin


def references_of(graph: Graph, declared: Iterable[ForProof]) -> dict[str, Reference]:
    """Return the reference of each mart that has one, by name, among what a project declares.

    Raises DefinitionError for a twin of an unknown mart, for one that reads anything but sources,
    and for a mart with two twins.
    """
    found: dict[str, Reference] = {}
    for twin in declared:
        if not isinstance(twin, Twin):
            continue
        _refuse_unknown(twin, graph.project)
        if (other := found.get(twin.mart)) is not None:
            raise DefinitionError(
                f"mart {twin.mart} has two twins",
                other.twin.location,
                twin.location,
                hint="remove one of them",
            )
        found[twin.mart] = Reference(graph.project.marts[twin.mart], twin)
    return {name: found[name] for name in graph.order if name in found}


def _refuse_unknown(twin: Twin, project: Declarations) -> None:
    if twin.mart not in project.marts:
        raise DefinitionError(
            f"there is no mart {twin.mart} for its twin to calculate",
            twin.location,
            hint=did_you_mean(twin.mart, project.marts)
            or f"the marts are: {', '.join(project.marts)}",
        )
    for name in twin.inputs:
        if name in project.marts:
            raise DefinitionError(
                f"the twin of {twin.mart} reads the mart {name}: a twin reads only sources",
                twin.location,
                hint=f"calculate what it needs of {name} from the sources, in pandas:"
                " a mistake in the mart must not become one of the twin",
            )
        if name not in project.sources:
            raise DefinitionError(
                f"the twin of {twin.mart} reads {name}, which is not a source",
                twin.location,
                hint=did_you_mean(name, project.sources)
                or f"the sources are: {', '.join(project.sources)}",
            )


class Frames:
    """The sources of a world as DataFrames, each converted once, for several twins.

    | contract | column | null |
    |---|---|---|
    | string | object of `str` | None |
    | decimal | object of `Decimal` with the contract's scale | None |
    | date | object of `datetime.date` | None |
    | int64 | `Int64` | NA |
    | boolean | `boolean` | NA |
    | float64 | `float64` | NaN |
    | timestamp | `datetime64[us]` without a zone | NaT |

    The index counts rows from 0. The columns are those of the contract, in its order. A source that
    the world does not have is empty, with the same columns.
    """

    def __init__(self, world: World, sources: Mapping[str, Source]) -> None:
        self.world = world
        self._sources = sources
        self._frames: dict[str, pd.DataFrame] = {}

    def of(self, name: str) -> pd.DataFrame:
        """Return a copy of a source, which its reader may change."""
        if name not in self._frames:
            self._frames[name] = frame_of(self._sources[name], self.world.tables.get(name))
        return self._frames[name].copy()


def frame_of(source: Source, table: pa.Table | None) -> pd.DataFrame:
    """Return the rows of a source as a DataFrame; none if there is no table."""
    import pandas as pd

    schema = schema_of(source.columns).to_pyarrow()
    rows = schema.empty_table() if table is None else table.select(schema.names)
    return pd.DataFrame(
        {
            field.name: pd.Series(rows[field.name].to_pylist(), dtype=_dtype(field.type))
            for field in schema
        },
    )


def _dtype(kind: pa.DataType) -> str:
    for fits, dtype in (
        (pa.types.is_integer, "Int64"),
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_floating, "float64"),
        (pa.types.is_timestamp, "datetime64[us]"),
    ):
        if fits(kind):
            return dtype
    return "object"


def calculate(reference: Reference, frames: Frames) -> pa.Table:
    """Call a twin on a world; return its result with the columns and types of the mart's contract.

    Cells that are None, NaN, NA or NaT are null. A number of another kind is taken if it is the
    same number: a whole float for a count, an int for a decimal, a Decimal for a float; a timestamp
    at midnight for a date. Raises DefinitionError, with the author's file and line, for a twin that
    raises, or returns other columns, several rows of a key, or a value that is not one of its
    column's type. A DataFrame without rows may have no columns.
    """
    mart, twin = reference.mart, reference.twin
    given = [frames.world.as_of if name == AS_OF else frames.of(name) for name in twin.parameters]
    try:
        found = twin.function(*given)
    except MartsError:
        raise
    except Exception as error:  # whatever the author's code raises, with the cause chained
        raise _failed(reference, error, frames.world.as_of) from error
    if _is_nothing(found):
        return schema_of(mart.columns).to_pyarrow().empty_table()
    _refuse_other_columns(reference, found)
    table = pa.Table.from_arrays(
        [_column(reference, found, field) for field in schema_of(mart.columns).to_pyarrow()],
        schema=schema_of(mart.columns).to_pyarrow(),
    )
    _refuse_repeated(reference, table)
    return table


def _failed(reference: Reference, error: Exception, as_of: datetime.date) -> DefinitionError:
    twin = reference.twin
    hint = attribute_hint(error, ())
    if isinstance(error, ModuleNotFoundError):
        hint = "import it at the top of the module, or install it"
    return DefinitionError(
        f"the twin of {twin.mart} failed as of {as_of}",
        f"{type(error).__name__}: {error}".removesuffix(": "),
        line_within(twin.function, error) or twin.location,
        hint=hint,
    )


def _is_nothing(found: Any) -> bool:
    """Tell whether a DataFrame was made of an empty list of rows, from which it has no columns."""
    import pandas as pd

    return isinstance(found, pd.DataFrame) and not len(found) and not len(found.columns)


def _refuse_other_columns(reference: Reference, found: Any) -> None:
    import pandas as pd

    twin = reference.twin
    if not isinstance(found, pd.DataFrame):
        raise DefinitionError(
            f"the twin of {twin.mart} returns {type(found).__name__}, not a DataFrame",
            twin.location,
            hint="return a pandas.DataFrame with the mart's columns",
        )
    expected = [column.name for column in reference.mart.columns]
    names = [str(name) for name in found.columns]
    wrong = [
        *(f"missing: {name}" for name in expected if name not in names),
        *(f"not one of the mart's: {name}" for name in names if name not in expected),
        *(f"there twice: {name}" for name, count in Counter(names).items() if count > 1),
    ]
    if wrong:
        raise DefinitionError(
            f"the twin of {twin.mart} returns other columns than the mart",
            *wrong,
            twin.location,
            hint=_columns_hint(found, expected),
        )


def _columns_hint(found: Any, expected: Iterable[str]) -> str:
    index = [str(name) for name in found.index.names if name in expected]
    if index:
        return f"{', '.join(index)} is the index: return ….reset_index()"
    return f"the mart's columns are: {', '.join(expected)}"


def _column(reference: Reference, found: Any, field: pa.Field) -> pa.Array:
    """Return a column of a twin's result, converted exactly to a type of the contract."""
    given = found[field.name].tolist()
    if (array := array_of(given, field.type)) is not None:
        return array
    convert, cells = converter_of(field.type), []
    for row, cell in enumerate(given):
        try:
            cells.append(None if is_null(cell) else convert(_plain(cell)))
        except UnfitError as error:
            shown = {name: found[name].iloc[row] for name in reference.mart.grain}
            raise DefinitionError(
                f"the twin of {reference.mart.name} returns {cell!r} for {field.name},"
                f" which is {_type_of(reference.mart, field.name)}",
                "row: " + (", ".join(f"{k} = {v}" for k, v in shown.items()) or str(row + 1)),
                reference.twin.location,
                hint=error.hint,
            ) from None
    return pa.array(cells, field.type)


def _type_of(mart: Mart, column: str) -> str:
    return next(each.type for each in mart.columns if each.name == column)


def is_null(cell: object) -> bool:
    """Tell whether a cell of a DataFrame stands for null: None, NaN, NA or NaT."""
    import pandas as pd

    if cell is None or cell is pd.NA or cell is pd.NaT:
        return True
    # NaN is the only value that differs from itself.
    return bool(isinstance(cell, float) and cell != cell)  # noqa: PLR0124


def _plain(cell: Any) -> Any:
    """Return a cell without NumPy's types."""
    return cell.item() if type(cell).__module__ == "numpy" else cell


def _refuse_repeated(reference: Reference, table: pa.Table) -> None:
    grain = checked_key(reference.mart)
    counts = Counter(tuple(row.values()) for row in table.select(grain).to_pylist())
    for key, count in counts.items() if grain else ():
        if count > 1:
            shown = ", ".join(f"{k} = {v}" for k, v in zip(grain, key, strict=True))
            raise DefinitionError(
                f"the twin of {reference.mart.name} returns {count} rows for {shown}",
                reference.twin.location,
                hint=f"return one row for each {' and '.join(grain)}, the mart's grain",
            )
