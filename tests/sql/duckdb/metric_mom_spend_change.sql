SELECT
  CAST("t3"."customer_id" AS TEXT) AS "customer_id",
  CAST("t8"."month" AS DATE) AS "month",
  CAST("t8"."monthly_spend" AS DECIMAL(18, 2)) AS "monthly_spend",
  CAST("t8"."prior_month_spend" AS DECIMAL(18, 2)) AS "prior_month_spend",
  CAST("t8"."mom_change_pct" AS DOUBLE) AS "mom_change_pct",
  CAST("t8"."month_number" AS BIGINT) AS "month_number",
  CAST("t8"."months_since_prior" AS BIGINT) AS "months_since_prior",
  CAST("t8"."mom_trend_category" AS TEXT) AS "mom_trend_category",
  CAST("t8"."metric_calculated_date" AS DATE) AS "metric_calculated_date"
FROM (
  SELECT
    "t0"."customer_id",
    "t0"."customer_number"
  FROM "gold"."int_customers" AS "t0"
) AS "t3"
INNER JOIN (
  SELECT
    "t6"."customer_number",
    "t6"."month",
    "t6"."monthly_spend",
    "t6"."prior_month_spend",
    "t6"."prior_month",
    "t6"."month_number",
    "t6"."mom_change_pct",
    "t6"."months_since_prior",
    "t6"."metric_calculated_date",
    CASE
      WHEN "t6"."month_number" = 1
      THEN 'First Month'
      WHEN "t6"."mom_change_pct" IS NULL
      THEN 'No Baseline'
      WHEN "t6"."mom_change_pct" > 50
      THEN 'High Growth'
      WHEN "t6"."mom_change_pct" > 0
      THEN 'Growth'
      WHEN "t6"."mom_change_pct" = 0
      THEN 'Flat'
      WHEN "t6"."mom_change_pct" > -30
      THEN 'Decline'
      ELSE 'High Decline'
    END AS "mom_trend_category"
  FROM (
    SELECT
      "t5"."customer_number",
      "t5"."month",
      "t5"."monthly_spend",
      "t5"."prior_month_spend",
      "t5"."prior_month",
      "t5"."month_number",
      CASE
        WHEN "t5"."prior_month_spend" > 0
        THEN (
          CAST("t5"."monthly_spend" - "t5"."prior_month_spend" AS DOUBLE) / NULLIF(CAST("t5"."prior_month_spend" AS DOUBLE), 0)
        ) * 100
        ELSE NULL
      END AS "mom_change_pct",
      DATE_DIFF('MONTH', "t5"."prior_month", "t5"."month") AS "months_since_prior",
      MAKE_DATE(2025, 6, 30) AS "metric_calculated_date"
    FROM (
      SELECT
        "t4"."customer_number",
        "t4"."month",
        "t4"."monthly_spend",
        LAG("t4"."monthly_spend") OVER (
          PARTITION BY "t4"."customer_number"
          ORDER BY "t4"."month" ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) AS "prior_month_spend",
        LAG("t4"."month") OVER (
          PARTITION BY "t4"."customer_number"
          ORDER BY "t4"."month" ASC
          ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) AS "prior_month",
        (
          ROW_NUMBER() OVER (
            PARTITION BY "t4"."customer_number"
            ORDER BY "t4"."month" ASC
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
          ) - 1
        ) + 1 AS "month_number"
      FROM (
        SELECT
          "t1"."customer_number",
          DATE_TRUNC('MONTH', "t1"."transaction_date") AS "month",
          SUM("t1"."transaction_amount") AS "monthly_spend"
        FROM "gold"."int_approved_transactions" AS "t1"
        GROUP BY
          1,
          2
      ) AS "t4"
    ) AS "t5"
  ) AS "t6"
) AS "t8"
  ON "t3"."customer_number" = "t8"."customer_number"
