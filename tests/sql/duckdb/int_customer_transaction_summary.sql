SELECT
  CAST("t10"."customer_id" AS TEXT) AS "customer_id",
  CAST("t10"."customer_key" AS TEXT) AS "customer_key",
  CAST(COALESCE("t10"."total_transactions", 0) AS BIGINT) AS "total_transactions",
  CAST(COALESCE("t10"."lifetime_value", 0) AS DECIMAL(18, 2)) AS "lifetime_value",
  CAST(COALESCE("t10"."sum_of_squared_amounts", 0) AS DECIMAL(28, 4)) AS "sum_of_squared_amounts",
  CAST(COALESCE("t10"."min_transaction_value", 0) AS DECIMAL(18, 2)) AS "min_transaction_value",
  CAST(COALESCE("t10"."max_transaction_value", 0) AS DECIMAL(18, 2)) AS "max_transaction_value",
  CAST(COALESCE("t10"."median_transaction_value", 0) AS DOUBLE) AS "median_transaction_value",
  CAST("t10"."first_transaction_date" AS DATE) AS "first_transaction_date",
  CAST("t10"."last_transaction_date" AS DATE) AS "last_transaction_date",
  CAST(COALESCE("t10"."spend_last_90_days", 0) AS DECIMAL(18, 2)) AS "spend_last_90_days",
  CAST(COALESCE("t10"."spend_prior_90_days", 0) AS DECIMAL(18, 2)) AS "spend_prior_90_days",
  CAST(COALESCE("t10"."travel_spend", 0) AS DECIMAL(18, 2)) AS "travel_spend",
  CAST(COALESCE("t10"."necessities_spend", 0) AS DECIMAL(18, 2)) AS "necessities_spend"
FROM (
  SELECT
    "t6"."customer_id",
    "t6"."customer_key",
    "t9"."customer_id" AS "customer_id_right",
    "t9"."total_transactions",
    "t9"."lifetime_value",
    "t9"."sum_of_squared_amounts",
    "t9"."min_transaction_value",
    "t9"."max_transaction_value",
    "t9"."median_transaction_value",
    "t9"."first_transaction_date",
    "t9"."last_transaction_date",
    "t9"."spend_last_90_days",
    "t9"."spend_prior_90_days",
    "t9"."travel_spend",
    "t9"."necessities_spend"
  FROM (
    SELECT
      "t0"."customer_id",
      "t0"."customer_key"
    FROM "gold"."int_customers" AS "t0"
  ) AS "t6"
  LEFT OUTER JOIN (
    SELECT
      "t7"."customer_id",
      COUNT(*) AS "total_transactions",
      SUM("t7"."transaction_amount") AS "lifetime_value",
      SUM(CAST("t7"."transaction_amount" AS DECIMAL(28, 2)) * "t7"."transaction_amount") AS "sum_of_squared_amounts",
      MIN("t7"."transaction_amount") AS "min_transaction_value",
      MAX("t7"."transaction_amount") AS "max_transaction_value",
      QUANTILE_CONT(CAST("t7"."transaction_amount" AS DOUBLE), 0.5) AS "median_transaction_value",
      MIN("t7"."transaction_date") AS "first_transaction_date",
      MAX("t7"."transaction_date") AS "last_transaction_date",
      SUM("t7"."transaction_amount") FILTER(WHERE
        "t7"."transaction_date" >= MAKE_DATE(2025, 4, 1)) AS "spend_last_90_days",
      SUM("t7"."transaction_amount") FILTER(WHERE
        (
          "t7"."transaction_date" >= MAKE_DATE(2025, 1, 1)
        )
        AND (
          "t7"."transaction_date" < MAKE_DATE(2025, 4, 1)
        )) AS "spend_prior_90_days",
      SUM("t7"."transaction_amount") FILTER(WHERE
        "t7"."category_name" IN ('Travel', 'Airlines', 'Hotels')) AS "travel_spend",
      SUM("t7"."transaction_amount") FILTER(WHERE
        "t7"."category_name" IN ('Grocery', 'Gas', 'Utilities')) AS "necessities_spend"
    FROM (
      SELECT
        "t3"."transaction_key",
        "t3"."customer_id",
        "t3"."transaction_date",
        "t3"."transaction_amount",
        "t3"."merchant_category_key",
        "t4"."category_key",
        "t4"."category_name"
      FROM "gold"."int_approved_transactions" AS "t3"
      LEFT OUTER JOIN READ_PARQUET('raw/dim_merchant_category.parquet') AS "t4"
        ON "t3"."merchant_category_key" = "t4"."category_key"
    ) AS "t7"
    GROUP BY
      1
  ) AS "t9"
    ON "t6"."customer_id" = "t9"."customer_id"
) AS "t10"
