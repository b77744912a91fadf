SELECT
  CAST("t7"."customer_id" AS TEXT) AS "customer_id",
  CAST("t7"."customer_key" AS TEXT) AS "customer_key",
  CAST(COALESCE("t7"."total_transactions", 0) AS BIGINT) AS "total_transactions",
  CAST(COALESCE("t7"."lifetime_value", 0) AS DECIMAL(18, 2)) AS "lifetime_value",
  CAST("t7"."sum_of_squared_amounts" AS DECIMAL(28, 4)) AS "sum_of_squared_amounts",
  CAST(COALESCE("t7"."min_transaction_value", 0) AS DECIMAL(18, 2)) AS "min_transaction_value",
  CAST(COALESCE("t7"."max_transaction_value", 0) AS DECIMAL(18, 2)) AS "max_transaction_value",
  CAST(COALESCE("t7"."median_transaction_value", 0) AS DOUBLE) AS "median_transaction_value",
  CAST("t7"."first_transaction_date" AS DATE) AS "first_transaction_date",
  CAST("t7"."last_transaction_date" AS DATE) AS "last_transaction_date",
  CAST(COALESCE("t7"."spend_last_90_days", 0) AS DECIMAL(18, 2)) AS "spend_last_90_days",
  CAST(COALESCE("t7"."spend_prior_90_days", 0) AS DECIMAL(18, 2)) AS "spend_prior_90_days",
  CAST("t7"."travel_spend" AS DECIMAL(18, 2)) AS "travel_spend",
  CAST("t7"."necessities_spend" AS DECIMAL(18, 2)) AS "necessities_spend"
FROM (
  SELECT
    "t3"."customer_id",
    "t3"."customer_key",
    "t3"."customer_number",
    "t6"."customer_number" AS "customer_number_right",
    "t6"."total_transactions",
    "t6"."lifetime_value",
    "t6"."sum_of_squared_amounts",
    "t6"."min_transaction_value",
    "t6"."max_transaction_value",
    "t6"."median_transaction_value",
    "t6"."first_transaction_date",
    "t6"."last_transaction_date",
    "t6"."spend_last_90_days",
    "t6"."spend_prior_90_days",
    "t6"."travel_spend",
    "t6"."necessities_spend"
  FROM (
    SELECT
      "t0"."customer_id",
      "t0"."customer_key",
      "t0"."customer_number"
    FROM "gold"."int_customers" AS "t0"
  ) AS "t3"
  LEFT OUTER JOIN (
    SELECT
      "t4"."customer_number",
      COUNT(*) AS "total_transactions",
      SUM("t4"."transaction_amount") AS "lifetime_value",
      (
        (
          SUM("t4"."cents" * "t4"."dollars") * 100
        ) + SUM("t4"."cents" * (
          "t4"."cents" - (
            "t4"."dollars" * 100
          )
        ))
      ) * CAST(0.0001 AS DECIMAL(5, 4)) AS "sum_of_squared_amounts",
      MIN("t4"."transaction_amount") AS "min_transaction_value",
      MAX("t4"."transaction_amount") AS "max_transaction_value",
      QUANTILE_CONT(CAST("t4"."transaction_amount" AS DOUBLE), 0.5) AS "median_transaction_value",
      MIN("t4"."transaction_date") AS "first_transaction_date",
      MAX("t4"."transaction_date") AS "last_transaction_date",
      SUM("t4"."transaction_amount") FILTER(WHERE
        "t4"."transaction_date" >= MAKE_DATE(2025, 4, 1)) AS "spend_last_90_days",
      SUM("t4"."transaction_amount") FILTER(WHERE
        (
          "t4"."transaction_date" >= MAKE_DATE(2025, 1, 1)
        )
        AND (
          "t4"."transaction_date" < MAKE_DATE(2025, 4, 1)
        )) AS "spend_prior_90_days",
      SUM("t4"."transaction_amount") FILTER(WHERE
        "t4"."is_travel") AS "travel_spend",
      SUM("t4"."transaction_amount") FILTER(WHERE
        "t4"."is_necessity") AS "necessities_spend"
    FROM (
      SELECT
        "t1"."customer_number",
        "t1"."transaction_date",
        "t1"."transaction_amount",
        "t1"."is_travel",
        "t1"."is_necessity",
        CAST("t1"."transaction_amount" AS BIGINT) AS "dollars",
        CAST("t1"."transaction_amount" * 100 AS BIGINT) AS "cents"
      FROM "gold"."int_approved_transactions" AS "t1"
    ) AS "t4"
    GROUP BY
      1
  ) AS "t6"
    ON "t3"."customer_number" = "t6"."customer_number"
) AS "t7"
