SELECT
  CAST("t6"."customer_id" AS TEXT) AS "customer_id",
  CAST("t6"."customer_key" AS TEXT) AS "customer_key",
  CAST("t6"."customer_segment" AS TEXT) AS "customer_segment",
  CAST("t6"."avg_transaction_value" AS DOUBLE) AS "avg_transaction_value",
  CAST("t6"."transaction_value_stddev" AS DOUBLE) AS "transaction_value_stddev",
  CAST("t6"."min_transaction_value" AS DECIMAL(18, 2)) AS "min_transaction_value",
  CAST("t6"."max_transaction_value" AS DECIMAL(18, 2)) AS "max_transaction_value",
  CAST("t6"."transaction_count" AS BIGINT) AS "transaction_count",
  CAST("t6"."median_transaction_value" AS DOUBLE) AS "median_transaction_value",
  CAST(CASE
    WHEN "t6"."transaction_count" = 0
    THEN 'No Transactions'
    WHEN "t6"."transaction_value_stddev" < 50
    THEN 'Consistent'
    WHEN "t6"."transaction_value_stddev" < 200
    THEN 'Moderate'
    ELSE 'Variable'
  END AS TEXT) AS "spending_consistency",
  CAST("t6"."metric_calculated_date" AS DATE) AS "metric_calculated_date"
FROM (
  SELECT
    "t5"."customer_id",
    "t5"."customer_key",
    "t5"."total_transactions",
    "t5"."lifetime_value",
    "t5"."sum_of_squared_amounts",
    "t5"."min_transaction_value",
    "t5"."max_transaction_value",
    "t5"."median_transaction_value",
    "t5"."first_transaction_date",
    "t5"."last_transaction_date",
    "t5"."spend_last_90_days",
    "t5"."spend_prior_90_days",
    "t5"."travel_spend",
    "t5"."necessities_spend",
    "t5"."customer_segment",
    "t5"."avg_transaction_value",
    "t5"."total_transactions" AS "transaction_count",
    COALESCE(
      SQRT(
        CAST((
          CAST("t5"."total_transactions" AS DECIMAL(10, 0)) * "t5"."sum_of_squared_amounts"
        ) - (
          CAST("t5"."lifetime_value" AS DECIMAL(28, 2)) * "t5"."lifetime_value"
        ) AS DOUBLE) / NULLIF(CAST("t5"."total_transactions" * (
          "t5"."total_transactions" - 1
        ) AS DOUBLE), 0)
      ),
      0
    ) AS "transaction_value_stddev",
    MAKE_DATE(2025, 6, 30) AS "metric_calculated_date"
  FROM (
    SELECT
      "t2"."customer_id",
      "t2"."customer_key",
      "t2"."total_transactions",
      "t2"."lifetime_value",
      "t2"."sum_of_squared_amounts",
      "t2"."min_transaction_value",
      "t2"."max_transaction_value",
      "t2"."median_transaction_value",
      "t2"."first_transaction_date",
      "t2"."last_transaction_date",
      "t2"."spend_last_90_days",
      "t2"."spend_prior_90_days",
      "t2"."travel_spend",
      "t2"."necessities_spend",
      "t4"."customer_segment",
      "t4"."avg_transaction_value"
    FROM "gold"."int_customer_transaction_summary" AS "t2"
    INNER JOIN (
      SELECT
        "t1"."customer_id",
        "t1"."customer_segment",
        "t1"."avg_transaction_value"
      FROM "gold"."customer_segments" AS "t1"
    ) AS "t4"
      ON "t2"."customer_id" = "t4"."customer_id"
  ) AS "t5"
) AS "t6"
