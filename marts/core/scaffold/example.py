"""A small data set for a project that has none yet: customers of a shop, and their orders."""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Iterable, Mapping

AS_OF = datetime.date(2025, 6, 30)
CUSTOMERS, ORDERS = 50, 300
CITIES = ("Bremen", "Köln", "Leipzig", "Ulm")
STATUSES = ("paid", "paid", "paid", "paid", "cancelled")
DAY = datetime.timedelta(days=1)


def example_files() -> Mapping[str, str]:
    """Return the files of the data set by name, always the same."""
    return {
        "customers.csv": _csv(("customer_id", "name", "city", "joined_on"), _customers()),
        "orders.csv": _csv(
            ("order_id", "customer_id", "ordered_on", "amount", "status"), _orders()
        ),
        "dataset.json": json.dumps({"as_of": str(AS_OF)}) + "\n",
    }


def _customers() -> Iterable[tuple[object, ...]]:
    for number in range(1, CUSTOMERS + 1):
        city = CITIES[number % 4] if number % 9 else None
        yield f"C{number:03}", f"Customer {number}", city, AS_OF - DAY * (100 + number * 13)


def _orders() -> Iterable[tuple[object, ...]]:
    for number in range(1, ORDERS + 1):
        # Some customers order often, and the last ones never do.
        customer = 1 + (number * number + number * 7) % (CUSTOMERS - 3)
        cents = 500 + (number * 7919) % 20_000
        ordered_on = AS_OF - DAY * ((number * 31) % 200)
        yield (
            f"O{number:04}",
            f"C{customer:03}",
            ordered_on,
            f"{cents // 100}.{cents % 100:02}",
            STATUSES[number % 5],
        )


def _csv(names: Iterable[str], rows: Iterable[tuple[object, ...]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(["" if each is None else each for each in row] for row in rows)
    return out.getvalue()
