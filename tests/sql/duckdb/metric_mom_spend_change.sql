SELECT
  CAST("t3"."customer_id" AS TEXT) AS "customer_id",
  CAST("t3"."month" AS DATE) AS "month",
  CAST("t3"."monthly_spend" AS DECIMAL(18, 2)) AS "monthly_spend",
  CAST("t3"."prior_month_spend" AS DECIMAL(18, 2)) AS "prior_month_spend",
  CAST("t3"."mom_change_pct" AS DOUBLE) AS "mom_change_pct",
  CAST("t3"."month_number" AS BIGINT) AS "month_number",
  CAST("t3"."months_since_prior" AS BIGINT) AS "months_since_prior",
  CAST(CASE
    WHEN "t3"."month_number" = 1
    THEN 'First Month'
    WHEN "t3"."mom_change_pct" IS NULL
    THEN 'No Baseline'
    WHEN "t3"."mom_change_pct" > 50
    THEN 'High Growth'
    WHEN "t3"."mom_change_pct" > 0
    THEN 'Growth'
    WHEN "t3"."mom_change_pct" = 0
    THEN 'Flat'
    WHEN "t3"."mom_change_pct" > -30
    THEN 'Decline'
    ELSE 'High Decline'
  END AS TEXT) AS "mom_trend_category",
  CAST("t3"."metric_calculated_date" AS DATE) AS "metric_calculated_date"
FROM (
  SELECT
    "t2"."customer_id",
    "t2"."month",
    "t2"."monthly_spend",
    "t2"."prior_month_spend",
    "t2"."prior_month",
    "t2"."month_number",
    CASE
      WHEN "t2"."prior_month_spend" > 0
      THEN (
        CAST("t2"."monthly_spend" - "t2"."prior_month_spend" AS DOUBLE) / NULLIF(CAST("t2"."prior_month_spend" AS DOUBLE), 0)
      ) * 100
      ELSE NULL
    END AS "mom_change_pct",
    DATE_DIFF('MONTH', "t2"."prior_month", "t2"."month") AS "months_since_prior",
    MAKE_DATE(2025, 6, 30) AS "metric_calculated_date"
  FROM (
    SELECT
      "t1"."customer_id",
      "t1"."month",
      "t1"."monthly_spend",
      LAG("t1"."monthly_spend") OVER (
        PARTITION BY "t1"."customer_id"
        ORDER BY "t1"."month" ASC
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
      ) AS "prior_month_spend",
      LAG("t1"."month") OVER (
        PARTITION BY "t1"."customer_id"
        ORDER BY "t1"."month" ASC
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
      ) AS "prior_month",
      (
        ROW_NUMBER() OVER (
          PARTITION BY "t1"."customer_id"
          ORDER BY "t1"."month" ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) - 1
      ) + 1 AS "month_number"
    FROM (
      SELECT
        "t0"."customer_id",
        DATE_TRUNC('MONTH', "t0"."transaction_date") AS "month",
        SUM("t0"."transaction_amount") AS "monthly_spend"
      FROM "gold"."int_approved_transactions" AS "t0"
      GROUP BY
        1,
        2
    ) AS "t1"
  ) AS "t2"
) AS "t3"
