"""Make tables by a script of SQL: `python run_sql.py SCRIPT FIXTURES DATABASE`.

The script finds the sources as views, and `as_of()`. Prints the seconds of each statement.
"""

import json
import sys
import time
from pathlib import Path

import duckdb

SOURCES = ("fct_transactions", "dim_customer", "dim_merchant_category", "churn_predictions")
NO_CHURN = "SELECT NULL::VARCHAR AS customer_id, NULL::DOUBLE AS churn_risk_score WHERE false"


def main() -> None:
    """Run the script's statements one after the other."""
    script, fixtures, database = map(Path, sys.argv[1:])
    database.unlink(missing_ok=True)
    # The marts' own format: rivals are not to lose time by an older one.
    with duckdb.connect(
        str(database), config={"storage_compatibility_version": "v1.3.0"}
    ) as connection:
        prepare(connection, fixtures)
        for statement in duckdb.extract_statements(script.read_text("utf-8")):
            started = time.perf_counter()
            connection.execute(statement)
            seconds = time.perf_counter() - started
            print(f"{seconds:.3f}", " ".join(statement.query.split()[:4]))


def prepare(connection: duckdb.DuckDBPyConnection, fixtures: Path) -> None:
    """Give the sources and the as-of date their names."""
    connection.execute("SET enable_progress_bar = false")
    as_of = json.loads((fixtures / "dataset.json").read_text("utf-8"))["as_of"]
    connection.execute(f"CREATE TEMP MACRO as_of() AS DATE '{as_of}'")
    for source in SOURCES:
        connection.execute(f"CREATE TEMP VIEW {source} AS {query_of(source, fixtures)}")


def query_of(source: str, fixtures: Path) -> str:
    """Return the query that reads a source, in either layout; only the churn scores may miss."""
    pattern = f"{source}/*.parquet" if (fixtures / source).is_dir() else f"{source}.parquet"
    if source == "churn_predictions" and not any(fixtures.glob(pattern)):
        return NO_CHURN
    return f"FROM read_parquet('{fixtures / pattern}')"


if __name__ == "__main__":
    main()
