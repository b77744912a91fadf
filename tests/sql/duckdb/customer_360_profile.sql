SELECT
  CAST("t16"."customer_id" AS TEXT) AS "customer_id",
  CAST("t16"."customer_key" AS TEXT) AS "customer_key",
  CAST("t16"."first_name" || ' ' || "t16"."last_name" AS TEXT) AS "full_name",
  CAST("t16"."first_name" AS TEXT) AS "first_name",
  CAST("t16"."last_name" AS TEXT) AS "last_name",
  CAST("t16"."email" AS TEXT) AS "email",
  CAST("t16"."age" AS BIGINT) AS "age",
  CAST("t16"."state" AS TEXT) AS "state",
  CAST("t16"."city" AS TEXT) AS "city",
  CAST("t16"."employment_status" AS TEXT) AS "employment_status",
  CAST("t16"."card_type" AS TEXT) AS "card_type",
  CAST("t16"."credit_limit" AS DECIMAL(18, 2)) AS "credit_limit",
  CAST("t16"."account_open_date" AS DATE) AS "account_open_date",
  CAST(DATE_DIFF('DAY', "t16"."account_open_date", MAKE_DATE(2025, 6, 30)) AS BIGINT) AS "account_age_days",
  CAST("t16"."customer_segment" AS TEXT) AS "customer_segment",
  CAST("t16"."segment_assigned_date" AS DATE) AS "segment_assigned_date",
  CAST("t16"."tenure_months" AS BIGINT) AS "tenure_months",
  CAST("t16"."lifetime_value" AS DECIMAL(18, 2)) AS "lifetime_value",
  CAST("t16"."total_transactions" AS BIGINT) AS "total_transactions",
  CAST("t16"."customer_age_days" AS BIGINT) AS "customer_age_days",
  CAST("t16"."avg_spend_per_day" AS DOUBLE) AS "avg_spend_per_day",
  CAST(CASE
    WHEN "t16"."lifetime_value" < 10000
    THEN '<$10K'
    WHEN "t16"."lifetime_value" < 50000
    THEN '$10K-$50K'
    WHEN "t16"."lifetime_value" < 100000
    THEN '$50K-$100K'
    ELSE '$100K+'
  END AS TEXT) AS "ltv_tier",
  CAST("t16"."avg_transaction_value" AS DOUBLE) AS "avg_transaction_value",
  CAST("t16"."transaction_value_stddev" AS DOUBLE) AS "transaction_value_stddev",
  CAST("t16"."min_transaction_value" AS DECIMAL(18, 2)) AS "min_transaction_value",
  CAST("t16"."max_transaction_value" AS DECIMAL(18, 2)) AS "max_transaction_value",
  CAST("t16"."median_transaction_value" AS DOUBLE) AS "median_transaction_value",
  CAST("t16"."spending_consistency" AS TEXT) AS "spending_consistency",
  CAST("t16"."spend_last_90_days" AS DECIMAL(18, 2)) AS "spend_last_90_days",
  CAST("t16"."spend_prior_90_days" AS DECIMAL(18, 2)) AS "spend_prior_90_days",
  CAST("t16"."spend_change_pct" AS DOUBLE) AS "spend_change_pct",
  CAST("t16"."avg_monthly_spend" AS DOUBLE) AS "avg_monthly_spend",
  CAST(COALESCE("t16"."active_months", 0) AS BIGINT) AS "active_months",
  CAST("t16"."latest_month" AS DATE) AS "latest_month",
  CAST("t16"."latest_month_spend" AS DECIMAL(18, 2)) AS "latest_month_spend",
  CAST("t16"."latest_mom_change_pct" AS DOUBLE) AS "latest_mom_change_pct",
  CAST("t16"."latest_mom_trend_category" AS TEXT) AS "latest_mom_trend_category",
  CAST("t16"."first_transaction_date" AS DATE) AS "first_transaction_date",
  CAST("t16"."last_transaction_date" AS DATE) AS "last_transaction_date",
  CAST(DATE_DIFF('DAY', "t16"."last_transaction_date", MAKE_DATE(2025, 6, 30)) AS BIGINT) AS "days_since_last_transaction",
  CAST(CASE
    WHEN DATE_DIFF('DAY', "t16"."last_transaction_date", MAKE_DATE(2025, 6, 30)) <= 30
    THEN 'Active (30 days)'
    WHEN DATE_DIFF('DAY', "t16"."last_transaction_date", MAKE_DATE(2025, 6, 30)) <= 60
    THEN 'Recent (60 days)'
    WHEN DATE_DIFF('DAY', "t16"."last_transaction_date", MAKE_DATE(2025, 6, 30)) <= 90
    THEN 'At Risk (90 days)'
    ELSE 'Inactive (90+ days)'
  END AS TEXT) AS "recency_status",
  CAST("t16"."travel_spend_pct" AS DOUBLE) AS "travel_spend_pct",
  CAST("t16"."necessities_spend_pct" AS DOUBLE) AS "necessities_spend_pct",
  CAST(CASE
    WHEN "t16"."travel_spend_pct" >= 25
    THEN 'Travel-Focused'
    WHEN "t16"."necessities_spend_pct" >= 60
    THEN 'Necessity-Focused'
    ELSE 'Balanced'
  END AS TEXT) AS "spending_profile",
  CAST(CASE
    WHEN "t16"."credit_limit" > 0
    THEN (
      "t16"."avg_monthly_spend" / NULLIF(CAST("t16"."credit_limit" AS DOUBLE), 0)
    ) * 100
    ELSE 0.0
  END AS DOUBLE) AS "credit_utilization_pct",
  CAST("t16"."churn_risk_score" AS DOUBLE) AS "churn_risk_score",
  CAST(CASE
    WHEN "t16"."churn_risk_score" IS NULL
    THEN 'Not Scored'
    WHEN "t16"."churn_risk_score" >= 70
    THEN 'High Risk'
    WHEN "t16"."churn_risk_score" >= 40
    THEN 'Medium Risk'
    ELSE 'Low Risk'
  END AS TEXT) AS "churn_risk_category",
  CAST((
    "t16"."customer_segment" = 'Declining'
  )
  OR COALESCE("t16"."churn_risk_score" >= 70, FALSE) AS BOOLEAN) AS "eligible_for_retention_campaign",
  CAST("t16"."customer_segment" = 'New & Growing' AS BOOLEAN) AS "eligible_for_onboarding_campaign",
  CAST("t16"."customer_segment" = 'High-Value Travelers' AS BOOLEAN) AS "eligible_for_premium_campaign",
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
    "t7"."customer_key" AS "ltv_customer_key",
    "t7"."customer_segment",
    "t7"."lifetime_value",
    "t7"."total_transactions",
    "t7"."first_transaction_date",
    "t7"."last_transaction_date",
    "t7"."customer_age_days",
    "t7"."avg_spend_per_day",
    "t7"."metric_calculated_date",
    "t8"."customer_key" AS "atv_customer_key",
    "t8"."customer_segment" AS "atv_customer_segment",
    "t8"."avg_transaction_value",
    "t8"."transaction_value_stddev",
    "t8"."min_transaction_value",
    "t8"."max_transaction_value",
    "t8"."transaction_count",
    "t8"."median_transaction_value",
    "t8"."spending_consistency",
    "t8"."metric_calculated_date" AS "atv_metric_calculated_date",
    "t9"."customer_key" AS "segments_customer_key",
    "t9"."customer_segment" AS "segments_customer_segment",
    "t9"."segment_assigned_date",
    "t9"."total_transactions" AS "segments_total_transactions",
    "t9"."lifetime_value" AS "segments_lifetime_value",
    "t9"."avg_transaction_value" AS "segments_avg_transaction_value",
    "t9"."first_transaction_date" AS "segments_first_transaction_date",
    "t9"."last_transaction_date" AS "segments_last_transaction_date",
    "t9"."tenure_months",
    "t9"."spend_last_90_days",
    "t9"."spend_prior_90_days",
    "t9"."spend_change_pct",
    "t9"."avg_monthly_spend",
    "t9"."travel_spend_pct",
    "t9"."necessities_spend_pct",
    "t15"."customer_id" AS "month_customer_id",
    "t15"."active_months",
    "t15"."latest_month",
    "t15"."latest_month_spend",
    "t15"."latest_mom_change_pct",
    "t15"."latest_mom_trend_category",
    "t10"."customer_id" AS "churn_customer_id",
    "t10"."churn_risk_score"
  FROM "gold"."int_customers" AS "t6"
  INNER JOIN "gold"."metric_customer_ltv" AS "t7"
    ON "t6"."customer_id" = "t7"."customer_id"
  INNER JOIN "gold"."metric_avg_transaction_value" AS "t8"
    ON "t6"."customer_id" = "t8"."customer_id"
  INNER JOIN "gold"."customer_segments" AS "t9"
    ON "t6"."customer_id" = "t9"."customer_id"
  LEFT OUTER JOIN (
    SELECT
      "t13"."customer_id",
      "t13"."active_months",
      "t11"."month" AS "latest_month",
      "t11"."monthly_spend" AS "latest_month_spend",
      "t11"."mom_change_pct" AS "latest_mom_change_pct",
      "t11"."mom_trend_category" AS "latest_mom_trend_category"
    FROM (
      SELECT
        "t5"."customer_id",
        MAX("t5"."month_number") AS "active_months"
      FROM "gold"."metric_mom_spend_change" AS "t5"
      GROUP BY
        1
    ) AS "t13"
    INNER JOIN "gold"."metric_mom_spend_change" AS "t11"
      ON "t13"."customer_id" = "t11"."customer_id"
      AND "t13"."active_months" = "t11"."month_number"
  ) AS "t15"
    ON "t6"."customer_id" = "t15"."customer_id"
  LEFT OUTER JOIN READ_PARQUET('raw/churn_predictions.parquet') AS "t10"
    ON "t6"."customer_id" = "t10"."customer_id"
) AS "t16"
