SELECT
  CAST("t5"."customer_id" AS TEXT) AS "customer_id",
  CAST("t5"."customer_key" AS TEXT) AS "customer_key",
  CAST("t5"."customer_segment" AS TEXT) AS "customer_segment",
  CAST("t5"."avg_transaction_value" AS DOUBLE) AS "avg_transaction_value",
  CAST("t5"."transaction_value_stddev" AS DOUBLE) AS "transaction_value_stddev",
  CAST("t5"."min_transaction_value" AS DECIMAL(18, 2)) AS "min_transaction_value",
  CAST("t5"."max_transaction_value" AS DECIMAL(18, 2)) AS "max_transaction_value",
  CAST("t5"."total_transactions" AS BIGINT) AS "transaction_count",
  CAST("t5"."median_transaction_value" AS DOUBLE) AS "median_transaction_value",
  CAST(CASE
    WHEN "t5"."total_transactions" = 0
    THEN 'No Transactions'
    WHEN "t5"."transaction_value_stddev" < 50
    THEN 'Consistent'
    WHEN "t5"."transaction_value_stddev" < 200
    THEN 'Moderate'
    ELSE 'Variable'
  END AS TEXT) AS "spending_consistency",
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
