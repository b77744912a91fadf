"""What the footers of Parquet files say of columns, without reading their rows."""

from __future__ import annotations

from collections.abc import Callable
from operator import add
from typing import Any

from marts.core.plan.state import ColumnStatistics

STATISTICS = """
WITH chunks AS (
    SELECT path_in_schema AS name, stats_null_count AS nulls, stats_max_value AS highest,
        row_number() OVER inside AS number,
        -- Statistics of floats leave NaN out, and those of texts may be truncated.
        CASE WHEN type IN ('INT32', 'INT64', 'FIXED_LEN_BYTE_ARRAY')
            THEN try_cast(stats_min_value AS DOUBLE) END AS low,
        CASE WHEN type IN ('INT32', 'INT64', 'FIXED_LEN_BYTE_ARRAY')
            THEN try_cast(stats_max_value AS DOUBLE) END AS high,
        coalesce(low > lag(high) OVER inside, stats_min_value > lag(stats_max_value) OVER inside,
            number = 1) AS is_ascending
    FROM {metadata}
    WHERE NOT contains(path_in_schema, ', ')
    WINDOW inside AS (PARTITION BY path_in_schema ORDER BY file_name, row_group_id)
)
SELECT name,
    CASE WHEN count(nulls) = count(*) THEN sum(nulls)::BIGINT END,
    CASE WHEN count(low) = count(*) THEN min(low) END,
    CASE WHEN count(high) = count(*) THEN max(high) END,
    bool_and(is_ascending),
    list(highest ORDER BY number)[count(*) // 2]
FROM chunks GROUP BY name
"""


def statistics_of(metadata: str) -> str:
    """Return a query over `parquet_metadata(…)`: a column's name, then its statistics."""
    return STATISTICS.format(metadata=metadata)


def combined(one: ColumnStatistics, other: ColumnStatistics) -> ColumnStatistics:
    """Return the statistics of a column over two groups of files."""

    def both(function: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
        return None if left is None or right is None else function(left, right)

    return ColumnStatistics(
        both(add, one.nulls, other.nulls),
        both(min, one.low, other.low),
        both(max, one.high, other.high),
    )
