"""The five marts in vectorised pandas: `python in_pandas.py FIXTURES DATABASE`."""

import json
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

TRAVEL = ("Travel", "Airlines", "Hotels")
NECESSITIES = ("Grocery", "Gas", "Utilities")


def main() -> None:
    """Read Parquet files, make the five tables, write them into a database file."""
    fixtures, database = map(Path, sys.argv[1:])
    as_of = pd.Timestamp(json.loads((fixtures / "dataset.json").read_text("utf-8"))["as_of"])
    versions = read(fixtures, "dim_customer").to_pandas()
    customers = versions[versions.is_current & (versions.account_open_date <= as_of.date())]
    customers = customers.set_index("customer_id")
    transactions = read_transactions(fixtures, versions, customers, as_of)
    tables = {"customer_segments": segments(customers, transactions, as_of)}
    tables["metric_customer_ltv"] = lifetime_values(tables["customer_segments"], as_of)
    tables["metric_avg_transaction_value"] = average_values(
        tables["customer_segments"], transactions, as_of
    )
    tables["metric_mom_spend_change"] = monthly_changes(transactions, as_of)
    tables["customer_360_profile"] = profiles(customers, tables, as_of)
    write(database, tables)


def read(fixtures: Path, source: str, **options: object) -> pa.Table:
    """Read a source, in either layout."""
    folder = fixtures / source
    return pq.read_table(folder if folder.is_dir() else folder.with_suffix(".parquet"), **options)


def read_transactions(
    fixtures: Path, versions: pd.DataFrame, customers: pd.DataFrame, as_of: pd.Timestamp
) -> pd.DataFrame:
    """Return the approved transactions of the customers: customer_id, date, cents and two flags."""
    until = (as_of + pd.Timedelta(days=1)).to_pydatetime()
    table = read(
        fixtures,
        "fct_transactions",
        columns=["customer_key", "merchant_category_key", "transaction_date", "transaction_amount"],
        filters=[("status", "=", "approved"), ("transaction_date", "<", until)],
    )
    cents = pc.multiply(table["transaction_amount"], pa.scalar(Decimal(100))).cast(pa.int64())
    names = read(fixtures, "dim_merchant_category").to_pandas().set_index("category_key")
    category = table["merchant_category_key"].to_pandas()
    keys = versions[versions.customer_id.isin(customers.index)].set_index("customer_key")
    transactions = pd.DataFrame(
        {
            "customer_id": table["customer_key"].to_pandas().map(keys.customer_id),
            "date": table["transaction_date"].to_pandas(),
            "cents": cents.to_pandas(),
            "travel": category.isin(names.index[names.category_name.isin(TRAVEL)]),
            "necessity": category.isin(names.index[names.category_name.isin(NECESSITIES)]),
        }
    )
    # A category of ids is grouped by its numbers.
    transactions["customer_id"] = transactions.customer_id.astype("category")
    return transactions.dropna(subset="customer_id")


def spend(transactions: pd.DataFrame, customers: pd.Index) -> pd.Series:
    """Return the sum of cents for each customer, 0 without transactions."""
    sums = transactions.groupby("customer_id", observed=True).cents.sum()
    return sums.reindex(customers, fill_value=0)


def per_cent(numerator: pd.Series, denominator: pd.Series) -> pd.Series:
    """Return a percentage, null where the denominator is 0."""
    return numerator / denominator.where(denominator != 0) * 100


def segments(
    customers: pd.DataFrame, transactions: pd.DataFrame, as_of: pd.Timestamp
) -> pd.DataFrame:
    """Return customer_segments, by customer_id."""
    ids, date = customers.index, transactions.date
    bounds = [as_of - pd.Timedelta(days=days) for days in (90, 180)]
    last = spend(transactions[date >= bounds[0]], ids)
    prior = spend(transactions[(date >= bounds[1]) & (date < bounds[0])], ids)
    of_customer = transactions.groupby("customer_id", observed=True)
    count = of_customer.size().reindex(ids, fill_value=0)
    lifetime = spend(transactions, ids)
    first = of_customer.date.min().reindex(ids)
    months = (as_of.year - first.dt.year) * 12 + as_of.month - first.dt.month
    t = pd.DataFrame(
        {
            "customer_key": customers.customer_key,
            "customer_segment": "",
            "segment_assigned_date": as_of.date(),
            "total_transactions": count,
            "lifetime_value": lifetime / 100,
            "avg_transaction_value": (lifetime / count.where(count != 0) / 100).fillna(0),
            "first_transaction_date": first.dt.normalize(),
            "last_transaction_date": of_customer.date.max().reindex(ids).dt.normalize(),
            "tenure_months": months,
            "spend_last_90_days": last / 100,
            "spend_prior_90_days": prior / 100,
            "spend_change_pct": per_cent(last - prior, prior).fillna(0),
            "avg_monthly_spend": last / 100 / 3,
            "travel_spend_pct": per_cent(
                spend(transactions[transactions.travel], ids), lifetime
            ).fillna(0),
            "necessities_spend_pct": per_cent(
                spend(transactions[transactions.necessity], ids), lifetime
            ).fillna(0),
        }
    )
    t["customer_segment"] = np.select(
        [
            (t.avg_monthly_spend >= 5000) & (t.travel_spend_pct >= 25),
            (t.spend_change_pct <= -30) & (prior >= 200_000),
            (t.tenure_months <= 6) & (t.spend_change_pct >= 50),
            (t.avg_monthly_spend < 1500) & (t.necessities_spend_pct >= 60),
        ],
        ["High-Value Travelers", "Declining", "New & Growing", "Budget-Conscious"],
        "Stable Mid-Spenders",
    )
    return t


def lifetime_values(segments: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return metric_customer_ltv, by customer_id."""
    columns = ["customer_key", "customer_segment", "lifetime_value", "total_transactions"]
    t = segments[[*columns, "first_transaction_date", "last_transaction_date"]].copy()
    age = (t.last_transaction_date - t.first_transaction_date).dt.days.fillna(0)
    t["customer_age_days"] = age.astype("int64")
    t["avg_spend_per_day"] = (t.lifetime_value / age.where(age != 0)).fillna(0)
    t["metric_calculated_date"] = as_of.date()
    return t


def average_values(
    segments: pd.DataFrame, transactions: pd.DataFrame, as_of: pd.Timestamp
) -> pd.DataFrame:
    """Return metric_avg_transaction_value, by customer_id."""
    cents = transactions.groupby("customer_id", observed=True).cents
    t = segments[["customer_key", "customer_segment", "avg_transaction_value"]].copy()
    names = {"std": "transaction_value_stddev", "min": "min_transaction_value"}
    names["max"] = "max_transaction_value"
    for function, name in names.items():
        t[name] = (cents.agg(function).reindex(t.index) / 100).fillna(0)
    t["transaction_count"] = segments.total_transactions
    t["median_transaction_value"] = (cents.median().reindex(t.index) / 100).fillna(0)
    deviation = t.transaction_value_stddev
    t["spending_consistency"] = np.select(
        [t.transaction_count == 0, deviation < 50, deviation < 200],
        ["No Transactions", "Consistent", "Moderate"],
        "Variable",
    )
    t["metric_calculated_date"] = as_of.date()
    return t


def monthly_changes(transactions: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return metric_mom_spend_change, by customer_id."""
    month = transactions.date.to_numpy().astype("M8[M]").astype("M8[s]")
    spent = transactions.assign(month=month).groupby(["customer_id", "month"], observed=True)
    t = spent.cents.sum().reset_index().sort_values(["customer_id", "month"])
    of_customer = t.groupby("customer_id", observed=True)
    prior, prior_month = of_customer.cents.shift(), of_customer.month.shift()
    t["monthly_spend"], t["prior_month_spend"] = t.cents / 100, prior / 100
    t["mom_change_pct"] = per_cent(t.cents - prior, prior)
    t["month_number"] = of_customer.cumcount() + 1
    apart = (t.month.dt.year - prior_month.dt.year) * 12
    t["months_since_prior"] = apart + t.month.dt.month - prior_month.dt.month
    change = t.mom_change_pct
    t["mom_trend_category"] = np.select(
        [t.month_number == 1, change.isna(), change > 50, change > 0, change == 0, change > -30],
        ["First Month", "No Baseline", "High Growth", "Growth", "Flat", "Decline"],
        "High Decline",
    )
    t["metric_calculated_date"] = as_of.date()
    return t.drop(columns="cents").set_index("customer_id")


def profiles(
    customers: pd.DataFrame, tables: dict[str, pd.DataFrame], as_of: pd.Timestamp
) -> pd.DataFrame:
    """Return customer_360_profile, by customer_id, without churn scores."""
    c, s = customers, tables["customer_segments"]
    ltv, atv = tables["metric_customer_ltv"], tables["metric_avg_transaction_value"]
    months = tables["metric_mom_spend_change"]
    latest = months[~months.index.duplicated(keep="last")].reindex(c.index)
    opened = pd.to_datetime(c.account_open_date)
    idle = (as_of - s.last_transaction_date).dt.days
    limit = c.credit_limit.astype("float64")
    t = pd.DataFrame({"customer_key": c.customer_key})
    t["full_name"] = c.first_name + " " + c.last_name
    copied = ("first_name", "last_name", "email", "age", "state", "city", "employment_status")
    for name in (*copied, "card_type"):
        t[name] = c[name]
    t["credit_limit"], t["account_open_date"] = limit, opened
    t["account_age_days"] = (as_of - opened).dt.days
    for name in ("customer_segment", "segment_assigned_date", "tenure_months"):
        t[name] = s[name]
    for name in ("lifetime_value", "total_transactions", "customer_age_days", "avg_spend_per_day"):
        t[name] = ltv[name]
    tiers = ["<$10K", "$10K-$50K", "$50K-$100K"]
    t["ltv_tier"] = np.select(
        [t.lifetime_value < most for most in (10_000, 50_000, 100_000)], tiers, "$100K+"
    )
    for name in atv.columns[2:9]:
        if name != "transaction_count":
            t[name] = atv[name]
    for name in s.columns[9:13]:
        t[name] = s[name]
    t["active_months"] = latest.month_number.fillna(0).astype("int64")
    t["latest_month"], t["latest_month_spend"] = latest.month, latest.monthly_spend
    t["latest_mom_change_pct"] = latest.mom_change_pct
    t["latest_mom_trend_category"] = latest.mom_trend_category
    t["first_transaction_date"] = s.first_transaction_date
    t["last_transaction_date"] = s.last_transaction_date
    t["days_since_last_transaction"] = idle
    t["recency_status"] = np.select(
        [idle <= 30, idle <= 60, idle <= 90],
        ["Active (30 days)", "Recent (60 days)", "At Risk (90 days)"],
        "Inactive (90+ days)",
    )
    t["travel_spend_pct"] = s.travel_spend_pct
    t["necessities_spend_pct"] = s.necessities_spend_pct
    t["spending_profile"] = np.select(
        [t.travel_spend_pct >= 25, t.necessities_spend_pct >= 60],
        ["Travel-Focused", "Necessity-Focused"],
        "Balanced",
    )
    t["credit_utilization_pct"] = (t.avg_monthly_spend / limit.where(limit > 0) * 100).fillna(0)
    t["churn_risk_score"], t["churn_risk_category"] = None, "Not Scored"
    t["eligible_for_retention_campaign"] = t.customer_segment == "Declining"
    t["eligible_for_onboarding_campaign"] = t.customer_segment == "New & Growing"
    t["eligible_for_premium_campaign"] = t.customer_segment == "High-Value Travelers"
    t["profile_updated_date"] = as_of.date()
    return t


def write(database: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Write each table into a new database file."""
    database.unlink(missing_ok=True)
    with duckdb.connect(str(database)) as connection:
        for name, table in tables.items():
            connection.register("frame", pa.Table.from_pandas(table.reset_index()))
            connection.execute(f"CREATE TABLE {name} AS FROM frame")


if __name__ == "__main__":
    main()
