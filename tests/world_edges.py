"""What worlds are made of: the values at the edges of the marts' definitions.

Each list begins with its simplest value, which examples shrink to.
"""

from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from itertools import product
from typing import Any

from reference.example import CATEGORY_KEYS, UNKNOWN_CATEGORY_KEY

AS_OF_DATES = (
    date(2024, 6, 15),
    date(2024, 6, 30),
    date(2024, 2, 29),
    date(2024, 3, 1),
    date(2024, 3, 31),
    date(2024, 12, 31),
    date(2025, 1, 1),
    date(2025, 2, 28),
)

# Days before as_of; -1 is the day after. The bounds of recency and of both windows.
DAY_EDGES = (
    *(0, 1, -1),
    *(29, 30, 31, 59, 60, 61),
    *(88, 89, 90, 91, 92, 178, 179, 180, 181, 182),
)
FARTHEST_DAY = 900

# Cents. Each family is made to meet the edges of one definition: a customer spends
# amounts of one family, for amounts of different ones hardly ever add up to an edge.
AMOUNT_FAMILIES: Mapping[str, tuple[int, ...]] = {
    "changes of 50 and -30 %": (100_00, 150_00, 70_00, 150_01, 69_99, 70_01, 0),
    "deviations of 50 and 200": (0, 50_00, 100_00, 99_99, 200_00, 400_00, 399_99),
    "shares of 25 and 60 %": (100_00, 25_00, 75_00, 60_00, 40_00, 24_99, 40_01),
    "a decline from 2,000": (2_000_00, 1_400_00, 1_999_99, 1_400_01, 3_000_00, 1_00),
    "1,500 a month": (4_500_00, 4_499_99, 1_499_99, 1_500_00, 3_000_00, 0),
    "5,000 a month": (15_000_00, 3_750_00, 11_250_00, 14_999_99, 5_000_00, 11_249_99),
    "tiers": (10_000_00, 9_999_99, 50_000_00, 49_999_99, 99_999_99, 40_000_00, 1),
    "cents": (1, 0, 2, 3, 10, 20, 33, 99, 1_01),
    "all that decimal(10,2) holds": (*(int(1.51**n) for n in range(56)), 99_999_999_99),
}

CATEGORY_CHOICES = (None, *CATEGORY_KEYS.values(), UNKNOWN_CATEGORY_KEY)
CATEGORIES_AND_STATUSES = [
    (category_key, status)
    for status in ("approved", "approved", "approved", "declined")
    for category_key in CATEGORY_CHOICES
]
TIMES = (time(0), time(12), time(23, 59, 59, 999_999))
VERSIONS_BACK = (0, 1, 2)
TIMES_AND_VERSIONS_BACK = list(product(TIMES, VERSIONS_BACK))

# Days before as_of on which an account opens; the negative ones do not exist yet.
OPENING_DAYS = (400, 0, -1, 1, 60, 365, 2000)
PEOPLE: tuple[Mapping[str, Any], ...] = (
    {},
    {"age": 18, "card_type": "Premium", "credit_limit": Decimal("50000.00")},
    {"age": 100, "credit_limit": Decimal("5000.00"), "last_name": "O'Hara"},
    {
        "age": 33,
        "credit_limit": Decimal("12345.67"),
        "first_name": "Zoë",
        "city": "Åre",
    },
)
SCORES = (None, 0.0, 39.9, 40.0, 69.9, 70.0, 100.0)

# Short histories that meet an edge exactly, each followed by its neighbours: days before
# as_of, cents, category. Drawn transactions may follow and move a customer off the edge.
Script = tuple[tuple[int, int, str | None], ...]
SCRIPTS: tuple[Script, ...] = (
    (),
    ((0, 100_00, None),),
    # last 90 days against the prior ones: 50 %, -30 % from 2,000
    ((120, 100_00, None), (10, 150_00, None)),
    ((120, 100_00, None), (10, 149_99, None)),
    ((91, 2_000_00, None), (90, 1_400_00, None)),
    ((180, 2_000_00, None), (0, 1_400_00, None)),
    ((180, 2_000_00, None), (0, 1_400_01, None)),
    ((181, 2_000_00, None), (120, 1_999_99, None), (0, 1_000_00, None)),
    # 5,000 a month and 25 % travel
    ((20, 3_750_00, "Airlines"), (10, 11_250_00, None)),
    ((20, 3_750_00, "Hotels"), (10, 11_249_99, None)),
    ((20, 3_749_99, "Travel"), (10, 11_250_01, None)),
    # 1,500 a month and 60 % necessities
    ((90, 2_700_00, "Grocery"), (10, 1_799_99, "Retail")),
    ((20, 4_500_00, "Gas"),),
    ((20, 60_00, "Utilities"), (10, 40_00, None)),
    ((20, 60_00, "Gas"), (10, 40_01, "Dining")),
    # month over month: 50 %, -30 %, 0 %, no baseline
    ((40, 100_00, None), (5, 150_00, None)),
    ((40, 100_00, None), (5, 150_01, None)),
    ((40, 100_00, None), (5, 70_00, None)),
    ((40, 100_00, None), (5, 70_01, None)),
    ((40, 0, None), (5, 100_00, None)),
    # deviation of 50 and 200
    ((0, 0, None), (0, 50_00, None), (0, 100_00, None)),
    ((0, 0, None), (0, 50_00, None), (0, 99_99, None)),
    ((0, 0, None), (0, 200_00, None), (0, 400_00, None)),
    # recency of 90 days, tenure of 6 and 7 months (as_of in mid-June)
    ((90, 100_00, None),),
    ((91, 100_00, None),),
    ((182, 1_00, None), (120, 100_00, None), (10, 150_00, None)),
    ((200, 1_00, None), (120, 100_00, None), (10, 150_00, None)),
    ((220, 1_00, None), (120, 100_00, None), (10, 150_00, None)),
    # tiers
    ((60, 10_000_00, None),),
    ((61, 9_999_99, None),),
    ((400, 50_000_00, None),),
    ((400, 50_000_00, None), (30, 50_000_00, None)),
)
