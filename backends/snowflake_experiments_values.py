"""Experiments on values: what the SQL of marts relies on, computed by the account itself."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping
from decimal import Decimal

from backends.snowflake_scratch import Scratch
from marts.core.run.diagnosis import Experiment, Finding, verdict_of

REPORT = "do not publish; report this with the evidence: marts would hold other numbers"

ROUNDING: Mapping[str, object] = {
    "CAST(CAST('2.5' AS DECIMAL(10, 2)) AS BIGINT)": 3,
    "CAST(CAST('-2.5' AS DECIMAL(10, 2)) AS BIGINT)": -3,
    "CAST(CAST('0.125' AS DECIMAL(10, 3)) AS DECIMAL(10, 2))": Decimal("0.13"),
    "CAST(CAST('12.34' AS DECIMAL(10, 2)) * 100 AS BIGINT)": 1234,
    "CAST(CAST('9007199254740993' AS BIGINT) * 100 AS DECIMAL(38, 0))": 900719925474099300,
    "CAST(CAST('0.1' AS DECIMAL(18, 2)) AS DOUBLE)": 0.1,
}
DIVISION: Mapping[str, object] = {
    "CAST(CAST('1' AS DECIMAL(18, 2)) AS DOUBLE) / 3.0": 1 / 3,
    "CAST(CAST('0.01' AS DECIMAL(18, 2)) AS DOUBLE) / CAST(100000000 AS DOUBLE)": 1e-10,
    "CAST(1 AS DOUBLE) / NULLIF(CAST(0 AS DOUBLE), 0)": None,
    "NULLIF(CAST(2 AS DOUBLE), 0)": 2.0,
    "SQRT(CAST(2 AS DOUBLE))": math.sqrt(2),
}
NULLS: Mapping[str, object] = {
    "GREATEST(1, CAST(NULL AS BIGINT))": None,
    "LEAST(1, CAST(NULL AS BIGINT))": None,
    "CONCAT('a', NULL)": None,
    "COALESCE(CAST(NULL AS BIGINT), 1)": 1,
    "CAST(NULL AS BIGINT) IS NOT DISTINCT FROM NULL": True,
    "1 IS NOT DISTINCT FROM NULL": False,
    "IFF(CAST(NULL AS BOOLEAN), 1, 2)": 2,
    "CASE WHEN CAST(NULL AS BIGINT) = 1 THEN 1 ELSE 2 END": 2,
    "CAST(NULL AS BOOLEAN) OR TRUE": True,
    "'' IS NULL": False,
}
TEXT: Mapping[str, object] = {
    "'a' = 'A'": False,
    "'a ' = 'a'": False,
    "'a' < 'B'": False,
    "'é' = 'e'": False,
    "LOWER('AÉ')": "aé",
    "TRIM(' a b ')": "a b",
    "TRANSLATE('abca', 'ab', 'x')": "xcx",
    "REPLACE('a-b-', '-', '')": "ab",
    "CONCAT('a', ' ', 'b')": "a b",
    "LENGTH('é')": 1,
}
DATES: Mapping[str, object] = {
    "DATE_FROM_PARTS(2025, 2, 28)": datetime.date(2025, 2, 28),
    "CAST(DATE_TRUNC('MONTH', DATE_FROM_PARTS(2025, 6, 17)) AS DATE)": datetime.date(2025, 6, 1),
    "DATEDIFF(MONTH, DATE_FROM_PARTS(2025, 1, 31), DATE_FROM_PARTS(2025, 2, 1))": 1,
    "DATEDIFF(DAY, DATE_FROM_PARTS(2024, 2, 28), DATE_FROM_PARTS(2024, 3, 1))": 2,
    "CAST(TIMESTAMP_NTZ_FROM_PARTS(2025, 6, 30, 23, 59, 59, 999000000) AS DATE)": datetime.date(
        2025, 6, 30
    ),
    "CAST(NULL AS TIMESTAMP_NTZ)": None,
    "TIMESTAMP_NTZ_FROM_PARTS(2025, 6, 30, 23, 59, 59, 0)": datetime.datetime(  # noqa: DTZ001
        2025, 6, 30, 23, 59, 59
    ),
}

ROWS = (
    "(SELECT CAST(1 AS DECIMAL(10, 2)) AS A, 'x' AS B"
    " UNION ALL SELECT 2, 'x' UNION ALL SELECT NULL, 'y') AS T"
)
FIRST, OVER = "ORDER BY A ASC NULLS LAST", "PARTITION BY B ORDER BY A ASC NULLS LAST"
AGGREGATES: Mapping[str, object] = {
    f"(SELECT {select} FROM {ROWS}{where})": value
    for select, where, value in (
        ("SUM(A)", "", 3),
        ("SUM(A)", " WHERE B = 'y'", None),
        ("SUM(A)", " WHERE B = 'z'", None),
        ("COUNT(A)", "", 2),
        ("COUNT(DISTINCT B)", "", 2),
        ("MIN(A)", "", 1),
        ("MAX(B)", "", "y"),
        ("MEDIAN(CAST(A AS DOUBLE))", "", 1.5),
    )
} | {
    f"(SELECT MAX(W) FROM (SELECT {window} AS W, A FROM {ROWS}) AS U{where})": value
    for window, where, value in (
        (f"ROW_NUMBER() OVER ({FIRST})", " WHERE A IS NULL", 3),
        (f"DENSE_RANK() OVER ({FIRST})", " WHERE A = 2", 2),
        (f"LAG(A) OVER ({OVER})", "", 1),
    )
}


def computed(expected: Mapping[str, object]) -> Callable[[Scratch], Finding]:
    """Return an experiment's function, which computes expressions and compares their values."""

    def run(door: Scratch) -> Finding:
        found = door.first.row(f"SELECT {', '.join(expected)}")
        problems = [
            f"{sql} is {value!r}, not {wanted!r}"
            for (sql, wanted), value in zip(expected.items(), found, strict=True)
            if not _same(value, wanted)
        ]
        return verdict_of(
            problems, f"{len(expected)} expressions have their values", bad="FAIL", remedy=REPORT
        )

    return run


def _same(found: object, wanted: object) -> bool:
    if isinstance(wanted, float):
        return isinstance(found, float) and math.isclose(found, wanted, rel_tol=1e-12)
    return found == wanted and isinstance(found, bool) == isinstance(wanted, bool)


def exact_sum(door: Scratch) -> Finding:
    """Sum decimals that doubles cannot hold."""
    table = door.table(
        "AMOUNTS", '"A" DECIMAL(18, 2)', "9007199254740993.01", "0.01", "-9007199254740993.00"
    )
    total = door.first.value(f'SELECT CAST(SUM("A") AS DECIMAL(18, 2)) FROM {table}')
    problems = [] if total == Decimal("0.02") else [f"the sum is {total}, not 0.02"]
    return verdict_of(
        problems, "no digit of 9007199254740993.01 is lost", bad="FAIL", remedy=REPORT
    )


def division_by_zero(door: Scratch) -> Finding:
    """Divide by zero."""
    error = door.first.refusal("SELECT CAST(1 AS DOUBLE) / CAST(0 AS DOUBLE)")
    problems = [] if error else ["x / 0 has a value"]
    return verdict_of(problems, "it is an error", bad="warn", remedy="none: marts divide by NULLIF")


def case_of_names(door: Scratch) -> Finding:
    """Name a column in lower case, and look it up."""
    door.table("CASES", '"a" INTEGER')
    door.catalog.forget()
    found = [row for row in door.catalog.columns(door.schema) if row["TABLE_NAME"] == "CASES"]
    names = [str(row["COLUMN_NAME"]) for row in found]
    problems = [] if names == ["a"] else [f'the catalog has "a" as {", ".join(names)}']
    remedy = f"ALTER USER {door.user} SET QUOTED_IDENTIFIERS_IGNORE_CASE = FALSE"
    return verdict_of(problems, 'the catalog has "a" as "a"', bad="FAIL", remedy=remedy)


EXPERIMENTS = (
    Experiment("rounding", "casts of decimals round half away from zero", computed(ROUNDING)),
    Experiment("division", "division of floats is exact to the last digits", computed(DIVISION)),
    Experiment("nulls", "null is what marts take it for", computed(NULLS)),
    Experiment("text", "text is compared character by character", computed(TEXT)),
    Experiment("date_values", "dates and differences of dates are as in Python", computed(DATES)),
    Experiment("aggregates", "aggregates and windows leave out nulls", computed(AGGREGATES)),
    Experiment("exact_sum", "sums of decimals are exact", exact_sum),
    Experiment(
        "division_by_zero", "x / 0 never becomes a number", division_by_zero, refused="warn"
    ),
    Experiment("case_of_names", "quoted names keep their case", case_of_names),
)
"""The experiments on values."""
