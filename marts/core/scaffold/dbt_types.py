"""The types of dbt's adapters as types of contracts."""

from __future__ import annotations

from marts.core.scaffold import naming

DIALECTS = {
    **{name: name for name in ("bigquery", "databricks", "duckdb", "postgres", "redshift")},
    **{name: name for name in ("athena", "clickhouse", "snowflake", "spark", "trino")},
    **dict.fromkeys(("fabric", "sqlserver", "synapse"), "tsql"),
}
"""By adapter: the dialect that its types are written in."""
PLAIN = {
    **dict.fromkeys(("BOOLEAN", "BIT"), "boolean"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "float64"),
    **dict.fromkeys(("CHAR", "NCHAR", "VARCHAR", "NVARCHAR", "TEXT", "BPCHAR", "NAME"), "string"),
    **dict.fromkeys(("DATE", "DATE32"), "date"),
    **dict.fromkeys(
        ("TIMESTAMP", "TIMESTAMPNTZ", "DATETIME", "DATETIME2", "DATETIME64"), "timestamp"
    ),
    **dict.fromkeys(("TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT"), "int64"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UMEDIUMINT", "UINT", "UBIGINT"), "int64"),
}
MOMENTS = ("TIMESTAMPTZ", "TIMESTAMPLTZ")
MOST_DIGITS = 38
UNKNOWN_DIGITS = "decimal(38, 9)"
"""What every number fits that has up to 29 digits before the point and 9 after it."""


def contract_type(text: str, column: str, adapter: str) -> tuple[str, str, bool]:
    """Return the contract's type of a type's name, a note on it, and whether it is a moment.

    The type is empty if no contract can hold it, and then the note says why.
    """
    import sqlglot.errors
    import sqlglot.expressions as sge

    if not text:
        return "", "dbt does not know its type", False
    try:
        found = sge.DataType.build(text, dialect=DIALECTS.get(adapter))
    except (sqlglot.errors.SqlglotError, ValueError):
        return "", text, False
    word = found.this.name
    if word in MOMENTS:
        return "timestamp", "points in time: read as the time in UTC, unless you name another", True
    if word in ("DECIMAL", "BIGDECIMAL"):
        # sqlglot adds the digits of a bare NUMBER, but catalogs leave them out of any.
        digits = [int(each.name) for each in found.expressions] if "(" in text else []
        return *_decimal(digits, text, column), False
    kind = PLAIN.get(word, "")
    return kind, "" if kind else text, False


def _decimal(digits: list[int], text: str, column: str) -> tuple[str, str]:
    if digits:
        precision, scale = digits[0], digits[1] if len(digits) > 1 else 0
        if precision > MOST_DIGITS:
            return "", text
        return (f"decimal({precision}, {scale})", "") if scale else ("int64", "")
    if naming.is_identifier(column):
        return "int64", f"dbt says {text}, without digits: taken for whole because of its name"
    return UNKNOWN_DIGITS, f"dbt says {text}, without digits: narrow it"
