SELECT
  CAST("t19"."customer_id" AS TEXT) AS "customer_id",
  CAST("t19"."customer_key" AS TEXT) AS "customer_key",
  CAST("t19"."first_name" || ' ' || "t19"."last_name" AS TEXT) AS "full_name",
  CAST("t19"."first_name" AS TEXT) AS "first_name",
  CAST("t19"."last_name" AS TEXT) AS "last_name",
  CAST("t19"."email" AS TEXT) AS "email",
  CAST("t19"."age" AS BIGINT) AS "age",
  CAST("t19"."state" AS TEXT) AS "state",
  CAST("t19"."city" AS TEXT) AS "city",
  CAST("t19"."employment_status" AS TEXT) AS "employment_status",
  CAST("t19"."card_type" AS TEXT) AS "card_type",
  CAST("t19"."credit_limit" AS DECIMAL(18, 2)) AS "credit_limit",
  CAST("t19"."account_open_date" AS DATE) AS "account_open_date",
  CAST(DATE_DIFF('DAY', "t19"."account_open_date", MAKE_DATE(2025, 6, 30)) AS BIGINT) AS "account_age_days",
  CAST("t19"."customer_segment" AS TEXT) AS "customer_segment",
  CAST("t19"."segment_assigned_date" AS DATE) AS "segment_assigned_date",
  CAST("t19"."tenure_months" AS BIGINT) AS "tenure_months",
  CAST("t19"."lifetime_value" AS DECIMAL(18, 2)) AS "lifetime_value",
  CAST("t19"."total_transactions" AS BIGINT) AS "total_transactions",
  CAST("t19"."customer_age_days" AS BIGINT) AS "customer_age_days",
  CAST("t19"."avg_spend_per_day" AS DOUBLE) AS "avg_spend_per_day",
  CAST(CASE
    WHEN "t19"."lifetime_value" < 10000
    THEN '<$10K'
    WHEN "t19"."lifetime_value" < 50000
    THEN '$10K-$50K'
    WHEN "t19"."lifetime_value" < 100000
    THEN '$50K-$100K'
    ELSE '$100K+'
  END AS TEXT) AS "ltv_tier",
  CAST("t19"."avg_transaction_value" AS DOUBLE) AS "avg_transaction_value",
  CAST("t19"."transaction_value_stddev" AS DOUBLE) AS "transaction_value_stddev",
  CAST("t19"."min_transaction_value" AS DECIMAL(18, 2)) AS "min_transaction_value",
  CAST("t19"."max_transaction_value" AS DECIMAL(18, 2)) AS "max_transaction_value",
  CAST("t19"."median_transaction_value" AS DOUBLE) AS "median_transaction_value",
  CAST("t19"."spending_consistency" AS TEXT) AS "spending_consistency",
  CAST("t19"."spend_last_90_days" AS DECIMAL(18, 2)) AS "spend_last_90_days",
  CAST("t19"."spend_prior_90_days" AS DECIMAL(18, 2)) AS "spend_prior_90_days",
  CAST("t19"."spend_change_pct" AS DOUBLE) AS "spend_change_pct",
  CAST("t19"."avg_monthly_spend" AS DOUBLE) AS "avg_monthly_spend",
  CAST(COALESCE("t19"."active_months", 0) AS BIGINT) AS "active_months",
  CAST("t19"."latest_month" AS DATE) AS "latest_month",
  CAST("t19"."latest_month_spend" AS DECIMAL(18, 2)) AS "latest_month_spend",
  CAST("t19"."latest_mom_change_pct" AS DOUBLE) AS "latest_mom_change_pct",
  CAST("t19"."latest_mom_trend_category" AS TEXT) AS "latest_mom_trend_category",
  CAST("t19"."first_transaction_date" AS DATE) AS "first_transaction_date",
  CAST("t19"."last_transaction_date" AS DATE) AS "last_transaction_date",
  CAST(DATE_DIFF('DAY', "t19"."last_transaction_date", MAKE_DATE(2025, 6, 30)) AS BIGINT) AS "days_since_last_transaction",
  CAST(CASE
    WHEN DATE_DIFF('DAY', "t19"."last_transaction_date", MAKE_DATE(2025, 6, 30)) <= 30
    THEN 'Active (30 days)'
    WHEN DATE_DIFF('DAY', "t19"."last_transaction_date", MAKE_DATE(2025, 6, 30)) <= 60
    THEN 'Recent (60 days)'
    WHEN DATE_DIFF('DAY', "t19"."last_transaction_date", MAKE_DATE(2025, 6, 30)) <= 90
    THEN 'At Risk (90 days)'
    ELSE 'Inactive (90+ days)'
  END AS TEXT) AS "recency_status",
  CAST("t19"."travel_spend_pct" AS DOUBLE) AS "travel_spend_pct",
  CAST("t19"."necessities_spend_pct" AS DOUBLE) AS "necessities_spend_pct",
  CAST(CASE
    WHEN "t19"."travel_spend_pct" >= 25
    THEN 'Travel-Focused'
    WHEN "t19"."necessities_spend_pct" >= 60
    THEN 'Necessity-Focused'
    ELSE 'Balanced'
  END AS TEXT) AS "spending_profile",
  CAST(CASE
    WHEN "t19"."credit_limit" > 0
    THEN (
      "t19"."avg_monthly_spend" / NULLIF(CAST("t19"."credit_limit" AS DOUBLE), 0)
    ) * 100
    ELSE 0.0
  END AS DOUBLE) AS "credit_utilization_pct",
  CAST("t19"."churn_risk_score" AS DOUBLE) AS "churn_risk_score",
  CAST(CASE
    WHEN "t19"."churn_risk_score" IS NULL
    THEN 'Not Scored'
    WHEN "t19"."churn_risk_score" >= 70
    THEN 'High Risk'
    WHEN "t19"."churn_risk_score" >= 40
    THEN 'Medium Risk'
    ELSE 'Low Risk'
  END AS TEXT) AS "churn_risk_category",
  CAST((
    "t19"."customer_segment" = 'Declining'
  )
  OR COALESCE("t19"."churn_risk_score" >= 70, FALSE) AS BOOLEAN) AS "eligible_for_retention_campaign",
  CAST("t19"."customer_segment" = 'New & Growing' AS BOOLEAN) AS "eligible_for_onboarding_campaign",
  CAST("t19"."customer_segment" = 'High-Value Travelers' AS BOOLEAN) AS "eligible_for_premium_campaign",
  CAST(MAKE_DATE(2025, 6, 30) AS DATE) AS "profile_updated_date"
FROM (
  SELECT
    "t6"."customer_id",
    "t6"."customer_key",
    "t6"."customer_number",
    "t6"."first_name",
    "t6"."last_name",
    "t6"."email",
    "t6"."age",
    "t6"."state",
    "t6"."city",
    "t6"."employment_status",
    "t6"."card_type",
    "t6"."credit_limit",
    "t6"."account_open_date",
    "t12"."customer_segment",
    "t12"."lifetime_value",
    "t12"."total_transactions",
    "t12"."first_transaction_date",
    "t12"."last_transaction_date",
    "t12"."customer_age_days",
    "t12"."avg_spend_per_day",
    "t12"."metric_calculated_date",
    "t13"."avg_transaction_value",
    "t13"."transaction_value_stddev",
    "t13"."min_transaction_value",
    "t13"."max_transaction_value",
    "t13"."transaction_count",
    "t13"."median_transaction_value",
    "t13"."spending_consistency",
    "t14"."segment_assigned_date",
    "t14"."tenure_months",
    "t14"."spend_last_90_days",
    "t14"."spend_prior_90_days",
    "t14"."spend_change_pct",
    "t14"."avg_monthly_spend",
    "t14"."travel_spend_pct",
    "t14"."necessities_spend_pct",
    "t18"."customer_id" AS "month_customer_id",
    "t18"."active_months",
    "t18"."latest_month",
    "t18"."latest_month_spend",
    "t18"."latest_mom_change_pct",
    "t18"."latest_mom_trend_category",
    "t7"."customer_id" AS "churn_customer_id",
    "t7"."churn_risk_score"
  FROM "gold"."int_customers" AS "t6"
  INNER JOIN (
    SELECT
      "t2"."customer_id",
      "t2"."customer_segment",
      "t2"."lifetime_value",
      "t2"."total_transactions",
      "t2"."first_transaction_date",
      "t2"."last_transaction_date",
      "t2"."customer_age_days",
      "t2"."avg_spend_per_day",
      "t2"."metric_calculated_date"
    FROM "gold"."metric_customer_ltv" AS "t2"
  ) AS "t12"
    ON "t6"."customer_id" = "t12"."customer_id"
  INNER JOIN (
    SELECT
      "t3"."customer_id",
      "t3"."avg_transaction_value",
      "t3"."transaction_value_stddev",
      "t3"."min_transaction_value",
      "t3"."max_transaction_value",
      "t3"."transaction_count",
      "t3"."median_transaction_value",
      "t3"."spending_consistency"
    FROM "gold"."metric_avg_transaction_value" AS "t3"
  ) AS "t13"
    ON "t6"."customer_id" = "t13"."customer_id"
  INNER JOIN (
    SELECT
      "t4"."customer_id",
      "t4"."segment_assigned_date",
      "t4"."tenure_months",
      "t4"."spend_last_90_days",
      "t4"."spend_prior_90_days",
      "t4"."spend_change_pct",
      "t4"."avg_monthly_spend",
      "t4"."travel_spend_pct",
      "t4"."necessities_spend_pct"
    FROM "gold"."customer_segments" AS "t4"
  ) AS "t14"
    ON "t6"."customer_id" = "t14"."customer_id"
  LEFT OUTER JOIN (
    SELECT
      "t16"."customer_id",
      "t16"."active_months",
      "t8"."month" AS "latest_month",
      "t8"."monthly_spend" AS "latest_month_spend",
      "t8"."mom_change_pct" AS "latest_mom_change_pct",
      "t8"."mom_trend_category" AS "latest_mom_trend_category"
    FROM (
      SELECT
        "t5"."customer_id",
        MAX("t5"."month_number") AS "active_months"
      FROM "gold"."metric_mom_spend_change" AS "t5"
      GROUP BY
        1
    ) AS "t16"
    INNER JOIN "gold"."metric_mom_spend_change" AS "t8"
      ON "t16"."customer_id" = "t8"."customer_id"
      AND "t16"."active_months" = "t8"."month_number"
  ) AS "t18"
    ON "t6"."customer_id" = "t18"."customer_id"
  LEFT OUTER JOIN READ_PARQUET('raw/churn_predictions.parquet') AS "t7"
    ON "t6"."customer_id" = "t7"."customer_id"
) AS "t19"
