"""Example queries as tables: what their functions return for the marts that they name."""

from __future__ import annotations

from collections.abc import Mapping

import ibis.expr.types as ir

from marts.core.authoring.expressions import AS_OF, AsOf
from marts.core.authoring.queries import ExampleQuery
from marts.core.authoring.signature import TABLE, call
from marts.core.authoring.slips import refuse_other_tables


def example_table(query: ExampleQuery, tables: Mapping[str, ir.Table], as_of: AsOf) -> ir.Table:
    """Return the table of an example query, given those of the marts by name.

    Raises DefinitionError, with file and line, for any exception of its function, and for a result
    that is not a table or reads another one.
    """
    given = [as_of if name == AS_OF else tables[name] for name in query.parameters]
    what = f"example query {query.name}"
    found: ir.Table = call(query.define, *given, what=what, location=query.location, expected=TABLE)
    refuse_other_tables(found, given, what=what, location=query.location)
    return found
