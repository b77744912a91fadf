"""Small star schemas, written by hand or drawn by hypothesis, in the spec's types.

Only the columns that the marts may rely on are built: a mart that reads another one
fails on every example.

>>> sources = star({"c1": [("2025-06-01", "12.50", "Travel"), ("2025-06-02", "3")]})
>>> sources["fct_transactions"].column("transaction_amount").to_pylist()
[Decimal('12.50'), Decimal('3.00')]
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

Row = Mapping[str, Any]
History = Sequence[tuple[str, ...]]

SCHEMAS: Mapping[str, pa.Schema] = {
    "fct_transactions": pa.schema(
        [
            pa.field("transaction_key", pa.string(), nullable=False),
            pa.field("transaction_id", pa.string(), nullable=False),
            pa.field("customer_key", pa.string(), nullable=False),
            pa.field("merchant_category_key", pa.int64(), nullable=True),
            pa.field("transaction_date", pa.timestamp("us"), nullable=False),
            pa.field("transaction_amount", pa.decimal128(10, 2), nullable=False),
            pa.field("status", pa.string(), nullable=False),
        ]
    ),
    "dim_customer": pa.schema(
        [
            pa.field("customer_key", pa.string(), nullable=False),
            pa.field("customer_id", pa.string(), nullable=False),
            pa.field("first_name", pa.string(), nullable=False),
            pa.field("last_name", pa.string(), nullable=False),
            pa.field("email", pa.string(), nullable=False),
            pa.field("age", pa.int64(), nullable=False),
            pa.field("state", pa.string(), nullable=False),
            pa.field("city", pa.string(), nullable=False),
            pa.field("employment_status", pa.string(), nullable=False),
            pa.field("card_type", pa.string(), nullable=False),
            pa.field("credit_limit", pa.decimal128(10, 2), nullable=False),
            pa.field("account_open_date", pa.date32(), nullable=False),
            pa.field("is_current", pa.bool_(), nullable=False),
        ]
    ),
    "dim_merchant_category": pa.schema(
        [
            pa.field("category_key", pa.int64(), nullable=False),
            pa.field("category_name", pa.string(), nullable=False),
        ]
    ),
    "churn_predictions": pa.schema(
        [
            pa.field("customer_id", pa.string(), nullable=False),
            pa.field("churn_risk_score", pa.float64(), nullable=False),
        ]
    ),
}

CATEGORY_KEYS: Mapping[str, int] = {
    "Travel": 1,
    "Dining": 2,
    "Hotels": 3,
    "Airlines": 4,
    "Entertainment": 5,
    "Grocery": 6,
    "Gas": 7,
    "Utilities": 8,
    "Healthcare": 9,
    "Retail": 10,
    "Uncategorized": 11,
}
UNKNOWN_CATEGORY_KEY = 99
UNKNOWN_CUSTOMER_KEY = "nobody"

DEFAULT_VERSION: Row = {
    "first_name": "Ada",
    "last_name": "Byron",
    "email": "ada@example.com",
    "age": 40,
    "state": "CA",
    "city": "Fresno",
    "employment_status": "Employed",
    "card_type": "Standard",
    "credit_limit": Decimal("10000.00"),
    "account_open_date": date(2020, 1, 1),
}

_MARKS: dict[str, Row] = {
    "declined": {"status": "declined"},
    "unknown category": {"merchant_category_key": UNKNOWN_CATEGORY_KEY},
    "nobody": {"customer_key": UNKNOWN_CUSTOMER_KEY},
    **{name: {"merchant_category_key": key} for name, key in CATEGORY_KEYS.items()},
}


def star(
    histories: Mapping[str, History],
    *,
    versions: Mapping[str, Sequence[Row]] | None = None,
    churn: Mapping[str, float] | None = None,
) -> dict[str, pa.Table]:
    """Build the sources of a few customers from a compact notation.

    A transaction is `(when, amount, *marks)`. Marks, in any order: "declined", a
    category name, "unknown category", "nobody" (a customer key outside the dimension)
    and "v1", "v2", … (the key of that version). Without marks it is approved, has no
    category and carries the current key.

    `versions` lists what differs from `DEFAULT_VERSION` in each version of a customer,
    oldest first; the last one is current. Without it a customer has one version.
    Customer keys are k0, k1, … over all customers and versions. Without `churn` there
    is no churn_predictions.
    """
    facts: list[Row] = []
    dimension: list[Row] = []
    for customer_id, history in histories.items():
        overrides = (versions or {}).get(customer_id, [{}])
        keys = [f"k{len(dimension) + n}" for n in range(len(overrides))]
        for key, override in zip(keys, overrides, strict=True):
            identity = {"customer_key": key, "customer_id": customer_id}
            is_current = {"is_current": key == keys[-1]}
            dimension.append({**DEFAULT_VERSION, **identity, **is_current, **override})
        for transaction in history:
            facts.append(_fact(f"t{len(facts)}", keys, *transaction))
    return tables(facts, dimension, churn)


def write_small_star(folder: Path) -> None:
    """Write the star of one customer with one transaction into a folder."""
    for name, table in star({"c1": [("2025-06-01", "12.50", "Travel")]}).items():
        pq.write_table(table, folder / f"{name}.parquet")


def tables(
    facts: Sequence[Row], dimension: Sequence[Row], churn: Mapping[str, float] | None
) -> dict[str, pa.Table]:
    """Build the sources from rows, in their order, with all known categories."""
    categories = [
        {"category_key": key, "category_name": name} for name, key in CATEGORY_KEYS.items()
    ]
    scores = [
        {"customer_id": customer_id, "churn_risk_score": score}
        for customer_id, score in (churn or {}).items()
    ]
    sources = {
        "fct_transactions": _table("fct_transactions", facts),
        "dim_customer": _table("dim_customer", dimension),
        "dim_merchant_category": _table("dim_merchant_category", categories),
    }
    if churn is not None:
        sources["churn_predictions"] = _table("churn_predictions", scores)
    return sources


def answer(twin: Any, sources: Mapping[str, pa.Table], as_of: date) -> pd.DataFrame:
    """Call a twin with the sources that it names, as DataFrames of plain Python values."""
    given = {
        name: as_of if name == "as_of" else _frame(sources.get(name, SCHEMAS[name].empty_table()))
        for name in twin.parameters
    }
    return twin(**given)


def _frame(table: pa.Table) -> pd.DataFrame:
    columns = {name: table[name].to_pylist() for name in table.column_names}
    return pd.DataFrame(columns, dtype=object)


def show(table: pd.DataFrame, columns: str) -> None:
    """Print the named columns, a line for each row, for a doctest to compare."""
    for cells in table[columns.split()].itertuples(index=False):
        print(" | ".join(str(cell) for cell in cells))


def _fact(transaction_key: str, keys: list[str], when: str, amount: str, *marks: str) -> Row:
    fact = {
        "transaction_key": transaction_key,
        "transaction_id": f"id-{transaction_key}",
        "customer_key": keys[-1],
        "merchant_category_key": None,
        "transaction_date": datetime.fromisoformat(when),
        "transaction_amount": Decimal(amount).quantize(Decimal("0.01")),
        "status": "approved",
    }
    versions = {f"v{n}": {"customer_key": key} for n, key in enumerate(keys, start=1)}
    for mark in marks:
        fact |= {**_MARKS, **versions}[mark]
    return fact


def _table(name: str, rows: Iterable[Row]) -> pa.Table:
    schema = SCHEMAS[name]
    rows = list(rows)
    columns = [pa.array([row[field.name] for row in rows], type=field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)
