SELECT
  CAST("t1"."customer_id" AS TEXT) AS "customer_id",
  CAST("t1"."customer_key" AS TEXT) AS "customer_key",
  CAST(CASE
    WHEN (
      "t1"."avg_monthly_spend" >= 5000
    ) AND (
      "t1"."travel_spend_pct" >= 25
    )
    THEN 'High-Value Travelers'
    WHEN (
      "t1"."spend_change_pct" <= -30
    ) AND (
      "t1"."spend_prior_90_days" >= 2000
    )
    THEN 'Declining'
    WHEN (
      "t1"."tenure_months" <= 6
    ) AND (
      "t1"."spend_change_pct" >= 50
    )
    THEN 'New & Growing'
    WHEN (
      "t1"."avg_monthly_spend" < 1500
    )
    AND (
      "t1"."necessities_spend_pct" >= 60
    )
    THEN 'Budget-Conscious'
    ELSE 'Stable Mid-Spenders'
  END AS TEXT) AS "customer_segment",
  CAST("t1"."segment_assigned_date" AS DATE) AS "segment_assigned_date",
  CAST("t1"."total_transactions" AS BIGINT) AS "total_transactions",
  CAST("t1"."lifetime_value" AS DECIMAL(18, 2)) AS "lifetime_value",
  CAST("t1"."avg_transaction_value" AS DOUBLE) AS "avg_transaction_value",
  CAST("t1"."first_transaction_date" AS DATE) AS "first_transaction_date",
  CAST("t1"."last_transaction_date" AS DATE) AS "last_transaction_date",
  CAST("t1"."tenure_months" AS BIGINT) AS "tenure_months",
  CAST("t1"."spend_last_90_days" AS DECIMAL(18, 2)) AS "spend_last_90_days",
  CAST("t1"."spend_prior_90_days" AS DECIMAL(18, 2)) AS "spend_prior_90_days",
  CAST(COALESCE("t1"."spend_change_pct", 0) AS DOUBLE) AS "spend_change_pct",
  CAST("t1"."avg_monthly_spend" AS DOUBLE) AS "avg_monthly_spend",
  CAST(COALESCE("t1"."travel_spend_pct", 0) AS DOUBLE) AS "travel_spend_pct",
  CAST(COALESCE("t1"."necessities_spend_pct", 0) AS DOUBLE) AS "necessities_spend_pct"
FROM (
  SELECT
    "t0"."customer_id",
    "t0"."customer_key",
    "t0"."total_transactions",
    "t0"."lifetime_value",
    "t0"."avg_transaction_value",
    "t0"."transaction_value_stddev",
    "t0"."min_transaction_value",
    "t0"."max_transaction_value",
    "t0"."median_transaction_value",
    "t0"."first_transaction_date",
    "t0"."last_transaction_date",
    "t0"."spend_last_90_days",
    "t0"."spend_prior_90_days",
    "t0"."travel_spend",
    "t0"."necessities_spend",
    MAKE_DATE(2025, 6, 30) AS "segment_assigned_date",
    DATE_DIFF('MONTH', "t0"."first_transaction_date", MAKE_DATE(2025, 6, 30)) AS "tenure_months",
    (
      CAST("t0"."spend_last_90_days" - "t0"."spend_prior_90_days" AS DOUBLE) / NULLIF(CAST("t0"."spend_prior_90_days" AS DOUBLE), 0)
    ) * 100 AS "spend_change_pct",
    CAST("t0"."spend_last_90_days" AS DOUBLE) / 3.0 AS "avg_monthly_spend",
    (
      CAST("t0"."travel_spend" AS DOUBLE) / NULLIF(CAST("t0"."lifetime_value" AS DOUBLE), 0)
    ) * 100 AS "travel_spend_pct",
    (
      CAST("t0"."necessities_spend" AS DOUBLE) / NULLIF(CAST("t0"."lifetime_value" AS DOUBLE), 0)
    ) * 100 AS "necessities_spend_pct"
  FROM "gold"."int_customer_transaction_summary" AS "t0"
) AS "t1"
