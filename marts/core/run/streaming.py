"""Rows of a query as they arrive, with the types of a contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager

import ibis
import pyarrow as pa

from marts.core.errors import EngineError
from marts.core.plan.state import Query
from marts.core.run.backend import Backend

WIDEST = 38
"""The most digits of a decimal."""


@contextmanager
def streamed(
    backend: Backend, query: Query, schema: ibis.Schema, *, about: str
) -> Iterator[Iterator[pa.RecordBatch]]:
    """Run a query, give its rows in batches, with the columns and types of a schema, and end it.

    Reading raises EngineError for a value that a type of the schema does not have.
    """
    with closing(backend.stream(query, about=about)) as batches:
        yield (conformed(batch, schema, about=about) for batch in batches)


def conformed(batch: pa.RecordBatch, schema: ibis.Schema, *, about: str) -> pa.RecordBatch:
    """Return rows with the columns and types of a schema, of which the batch has all.

    No value changes. Raises EngineError for one that a type does not have.
    """
    wanted = schema.to_pyarrow()
    arrays = []
    for field in wanted:
        try:
            arrays.append(_cast(batch.column(field.name), field.type))
        except pa.ArrowException as error:
            # Arrow's own words quote a value.
            raise EngineError(
                f"{about}.{field.name} has a value that is not of its type, {schema[field.name]}"
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=wanted)


def _cast(values: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(kind) and pa.types.is_integer(values.type):
        # Arrow demands room for every value of the integers' type, whatever the values are.
        values = values.cast(pa.decimal128(WIDEST, 0))
    return values.cast(kind)


class Counted:
    """Counts the rows that pass, and says how many they are so far."""

    def __init__(self, watch: Callable[[int], None]) -> None:
        self.count = 0
        self._watch = watch

    def counting(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Pass batches on."""
        for batch in batches:
            yield batch
            self.count += batch.num_rows
            self._watch(self.count)
