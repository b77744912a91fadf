"""The front door: every name that an author of marts imports, and `Project`.

- `source` and `mart` declare tables.
- `string`, `int64`, `float64`, `decimal`, `money`, `date`, `timestamp` and `boolean` declare
  columns; `labels` declares a column whose values depend on conditions.
- `row_check`, `unique`, `relationship` and `table_check` declare what must hold for the rows,
  `fresh` how old they may be, and `acknowledge` a warning that is known.
- `example_query` declares a question of readers with the query that answers it, for the catalogue.
- `invariant` declares how marts must respond to a change of a source.
- `twin` declares how a mart is calculated in pandas, `corpus` and `strategy` data to try marts on,
  for proofs.
- `ratio`, `percent`, `mean` and `sample_stddev` are arithmetic on which engines agree.
- `AsOf` and `Table` are the types of a mart's parameters.
- `build` builds marts from the tables of a test, `worlds` draws such tables, `assert_same_table`
  compares tables, and `assert_proven` proves marts; `MartsBuilder` and `SnowflakeEmulator` are the
  types of pytest's fixtures.
- `Project.load` loads a project, to run, test, compile and show its marts from Python.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # For type checkers, which learn no types from `__getattr__`; `as` marks a name as exported.
    from ibis.expr.types import Table as Table

    from marts.core.api.project import Project as Project
    from marts.core.authoring.checks import (
        fresh as fresh,
    )
    from marts.core.authoring.checks import (
        relationship as relationship,
    )
    from marts.core.authoring.checks import (
        row_check as row_check,
    )
    from marts.core.authoring.checks import (
        table_check as table_check,
    )
    from marts.core.authoring.checks import (
        unique as unique,
    )
    from marts.core.authoring.columns import (
        boolean as boolean,
    )
    from marts.core.authoring.columns import (
        date as date,
    )
    from marts.core.authoring.columns import (
        decimal as decimal,
    )
    from marts.core.authoring.columns import (
        float64 as float64,
    )
    from marts.core.authoring.columns import (
        int64 as int64,
    )
    from marts.core.authoring.columns import (
        money as money,
    )
    from marts.core.authoring.columns import (
        string as string,
    )
    from marts.core.authoring.columns import (
        timestamp as timestamp,
    )
    from marts.core.authoring.expressions import (
        AsOf as AsOf,
    )
    from marts.core.authoring.expressions import (
        mean as mean,
    )
    from marts.core.authoring.expressions import (
        percent as percent,
    )
    from marts.core.authoring.expressions import (
        ratio as ratio,
    )
    from marts.core.authoring.expressions import (
        sample_stddev as sample_stddev,
    )
    from marts.core.authoring.invariants import invariant as invariant
    from marts.core.authoring.labels import labels as labels
    from marts.core.authoring.proofs import (
        corpus as corpus,
    )
    from marts.core.authoring.proofs import (
        strategy as strategy,
    )
    from marts.core.authoring.proofs import (
        twin as twin,
    )
    from marts.core.authoring.queries import example_query as example_query
    from marts.core.authoring.tables import (
        mart as mart,
    )
    from marts.core.authoring.tables import (
        source as source,
    )
    from marts.core.authoring.tolerance import acknowledge as acknowledge
    from marts.core.kit.building import MartsBuilder as MartsBuilder
    from marts.core.kit.building import build as build
    from marts.core.kit.drawing import worlds as worlds
    from marts.core.kit.emulated import SnowflakeEmulator as SnowflakeEmulator
    from marts.core.kit.proving import assert_proven as assert_proven
    from marts.core.proof.comparison import assert_same_table as assert_same_table

_HOMES = {
    "Project": "marts.core.api.project",
    "MartsBuilder": "marts.core.kit.building",
    "SnowflakeEmulator": "marts.core.kit.emulated",
    "AsOf": "marts.core.authoring.expressions",
    "Table": "ibis.expr.types",
    "acknowledge": "marts.core.authoring.tolerance",
    "assert_proven": "marts.core.kit.proving",
    "assert_same_table": "marts.core.proof.comparison",
    "boolean": "marts.core.authoring.columns",
    "build": "marts.core.kit.building",
    "corpus": "marts.core.authoring.proofs",
    "date": "marts.core.authoring.columns",
    "decimal": "marts.core.authoring.columns",
    "example_query": "marts.core.authoring.queries",
    "float64": "marts.core.authoring.columns",
    "fresh": "marts.core.authoring.checks",
    "int64": "marts.core.authoring.columns",
    "invariant": "marts.core.authoring.invariants",
    "labels": "marts.core.authoring.labels",
    "mart": "marts.core.authoring.tables",
    "money": "marts.core.authoring.columns",
    "percent": "marts.core.authoring.expressions",
    "ratio": "marts.core.authoring.expressions",
    "relationship": "marts.core.authoring.checks",
    "row_check": "marts.core.authoring.checks",
    "mean": "marts.core.authoring.expressions",
    "sample_stddev": "marts.core.authoring.expressions",
    "source": "marts.core.authoring.tables",
    "strategy": "marts.core.authoring.proofs",
    "string": "marts.core.authoring.columns",
    "table_check": "marts.core.authoring.checks",
    "timestamp": "marts.core.authoring.columns",
    "twin": "marts.core.authoring.proofs",
    "unique": "marts.core.authoring.checks",
    "worlds": "marts.core.kit.drawing",
}

__all__ = [*_HOMES]  # noqa: PLE0604  (they are strings)


def __getattr__(name: str) -> Any:
    # Importing Ibis takes half a second. `marts --help` and completion import this package, too,
    # but need no Ibis, so a name is imported when it is used.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
