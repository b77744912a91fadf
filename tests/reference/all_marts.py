"""The twins by the name of their mart."""

from collections.abc import Callable, Mapping
from datetime import date

import pandas as pd

from reference.customer_360_profile import customer_360_profile
from reference.customer_segments import customer_segments
from reference.history import Sources
from reference.metric_avg_transaction_value import metric_avg_transaction_value
from reference.metric_customer_ltv import metric_customer_ltv
from reference.metric_mom_spend_change import metric_mom_spend_change

TWINS: Mapping[str, Callable[[Sources, date], pd.DataFrame]] = {
    "metric_customer_ltv": metric_customer_ltv,
    "metric_mom_spend_change": metric_mom_spend_change,
    "metric_avg_transaction_value": metric_avg_transaction_value,
    "customer_segments": customer_segments,
    "customer_360_profile": customer_360_profile,
}

GRAINS: Mapping[str, tuple[str, ...]] = {
    "metric_customer_ltv": ("customer_id",),
    "metric_mom_spend_change": ("customer_id", "month"),
    "metric_avg_transaction_value": ("customer_id",),
    "customer_segments": ("customer_id",),
    "customer_360_profile": ("customer_id",),
}


def expected(mart_name: str, sources: Sources, as_of: date) -> pd.DataFrame:
    """Calculate what a mart must hold, with columns and rows in the spec's order."""
    return TWINS[mart_name](sources, as_of)
