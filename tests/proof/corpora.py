"""The star schema at the thresholds of our marts, as people who know the business write it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import pyarrow as pa

from fixtures.corpus import AS_OF
from fixtures.corpus import corpus as rows_of
from marts import corpus
from marts.core.analysis.thresholds import Thresholds


@corpus(as_of=AS_OF)
def star(thresholds: Thresholds, as_of: datetime.date) -> Mapping[str, pa.Table]:
    """Customers, each with a history at some threshold."""
    return rows_of(thresholds, as_of)
