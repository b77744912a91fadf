"""Many worlds in one stay apart, and the larger data set is what its name says."""

from __future__ import annotations

import datetime

import pytest

from support.data_sets import LARGER, drawn, larger, packed
from support.twins import TWINS

AS_OF = datetime.date(2024, 2, 29)


@pytest.mark.parametrize("mart", ["customer_segments", "metric_mom_spend_change"])
def test_worlds_in_one_have_the_rows_that_they_have_alone(mart: str) -> None:
    several = drawn(AS_OF, 40)
    alone = [len(TWINS[mart](world.tables, AS_OF)) for world in several]
    assert len(several) == 40
    assert sum(rows > 0 for rows in alone) > 20
    assert len(TWINS[mart](packed(several), AS_OF)) == sum(alone)


def test_transactions_of_the_larger_data_set_go_on_after_its_date() -> None:
    data = larger()
    facts = data.tables["fct_transactions"]
    days = [moment.date() for moment in facts.column("transaction_date").to_pylist()]
    assert facts.num_rows == LARGER.transactions
    assert 0 < sum(day > data.as_of for day in days) < LARGER.transactions / 5
    customers = set(data.tables["dim_customer"].column("customer_id").to_pylist())
    assert len(customers) == LARGER.customers
