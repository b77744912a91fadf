SELECT
  CAST("t5"."customer_id" AS TEXT) AS "customer_id",
  CAST("t5"."customer_key" AS TEXT) AS "customer_key",
  CAST("t5"."customer_segment" AS TEXT) AS "customer_segment",
  CAST("t5"."lifetime_value" AS DECIMAL(18, 2)) AS "lifetime_value",
  CAST("t5"."total_transactions" AS BIGINT) AS "total_transactions",
  CAST("t5"."first_transaction_date" AS DATE) AS "first_transaction_date",
  CAST("t5"."last_transaction_date" AS DATE) AS "last_transaction_date",
  CAST(COALESCE(DATE_DIFF('DAY', "t5"."first_transaction_date", "t5"."last_transaction_date"), 0) AS BIGINT) AS "customer_age_days",
  CAST(COALESCE(
    CAST("t5"."lifetime_value" AS DOUBLE) / NULLIF(
      CAST(DATE_DIFF('DAY', "t5"."first_transaction_date", "t5"."last_transaction_date") AS DOUBLE),
      0
    ),
    0
  ) AS DOUBLE) AS "avg_spend_per_day",
  CAST(MAKE_DATE(2025, 6, 30) AS DATE) AS "metric_calculated_date"
FROM (
  SELECT
    "t2"."customer_id",
    "t2"."customer_key",
    "t2"."total_transactions",
    "t2"."lifetime_value",
    "t2"."avg_transaction_value",
    "t2"."transaction_value_stddev",
    "t2"."min_transaction_value",
    "t2"."max_transaction_value",
    "t2"."median_transaction_value",
    "t2"."first_transaction_date",
    "t2"."last_transaction_date",
    "t2"."spend_last_90_days",
    "t2"."spend_prior_90_days",
    "t2"."travel_spend",
    "t2"."necessities_spend",
    "t4"."customer_segment"
  FROM "gold"."int_customer_transaction_summary" AS "t2"
  INNER JOIN (
    SELECT
      "t1"."customer_id",
      "t1"."customer_segment"
    FROM "gold"."customer_segments" AS "t1"
  ) AS "t4"
    ON "t2"."customer_id" = "t4"."customer_id"
) AS "t5"
