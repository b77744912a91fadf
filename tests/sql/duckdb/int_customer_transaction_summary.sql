SELECT
  CAST("t3"."customer_id" AS TEXT) AS "customer_id",
  CAST("t3"."customer_key" AS TEXT) AS "customer_key",
  CAST(COALESCE("t5"."total_transactions", 0) AS BIGINT) AS "total_transactions",
  CAST(COALESCE("t5"."lifetime_value", 0) AS DECIMAL(18, 2)) AS "lifetime_value",
  CAST(COALESCE("t5"."avg_transaction_value", 0) AS DOUBLE) AS "avg_transaction_value",
  CAST(COALESCE("t5"."transaction_value_stddev", 0) AS DOUBLE) AS "transaction_value_stddev",
  CAST(COALESCE("t5"."min_transaction_value", 0) AS DECIMAL(18, 2)) AS "min_transaction_value",
  CAST(COALESCE("t5"."max_transaction_value", 0) AS DECIMAL(18, 2)) AS "max_transaction_value",
  CAST(COALESCE("t5"."median_transaction_value", 0) AS DOUBLE) AS "median_transaction_value",
  CAST("t5"."first_transaction_date" AS DATE) AS "first_transaction_date",
  CAST("t5"."last_transaction_date" AS DATE) AS "last_transaction_date",
  CAST(COALESCE("t5"."spend_last_90_days", 0) AS DECIMAL(18, 2)) AS "spend_last_90_days",
  CAST(COALESCE("t5"."spend_prior_90_days", 0) AS DECIMAL(18, 2)) AS "spend_prior_90_days",
  CAST("t5"."travel_spend" AS DECIMAL(18, 2)) AS "travel_spend",
  CAST("t5"."necessities_spend" AS DECIMAL(18, 2)) AS "necessities_spend"
FROM (
  SELECT
    "t0"."customer_id",
    "t0"."customer_key",
    "t0"."customer_number"
  FROM "gold"."int_customers" AS "t0"
) AS "t3"
LEFT OUTER JOIN (
  SELECT
    "t1"."customer_number",
    COUNT(*) AS "total_transactions",
    SUM("t1"."transaction_amount") AS "lifetime_value",
    CAST(SUM("t1"."transaction_amount") AS DOUBLE) / NULLIF(CAST(COUNT(*) AS DOUBLE), 0) AS "avg_transaction_value",
    SQRT(
      CAST((
        CAST(COUNT("t1"."transaction_amount") AS DECIMAL(10, 0)) * CAST((
          (
            SUM(
              CAST("t1"."transaction_amount" * 100 AS BIGINT) * CAST("t1"."transaction_amount" AS BIGINT)
            ) * 100
          ) + SUM(
            CAST("t1"."transaction_amount" * 100 AS BIGINT) * (
              CAST("t1"."transaction_amount" * 100 AS BIGINT) - (
                CAST("t1"."transaction_amount" AS BIGINT) * 100
              )
            )
          )
        ) * CAST(0.0001 AS DECIMAL(5, 4)) AS DECIMAL(28, 4))
      ) - (
        CAST(CAST(SUM("t1"."transaction_amount") AS DECIMAL(18, 2)) AS DECIMAL(28, 2)) * CAST(SUM("t1"."transaction_amount") AS DECIMAL(18, 2))
      ) AS DOUBLE) / NULLIF(
        CAST(COUNT("t1"."transaction_amount") * (
          COUNT("t1"."transaction_amount") - 1
        ) AS DOUBLE),
        0
      )
    ) AS "transaction_value_stddev",
    MIN("t1"."transaction_amount") AS "min_transaction_value",
    MAX("t1"."transaction_amount") AS "max_transaction_value",
    QUANTILE_CONT(CAST("t1"."transaction_amount" AS DOUBLE), 0.5) AS "median_transaction_value",
    MIN("t1"."transaction_date") AS "first_transaction_date",
    MAX("t1"."transaction_date") AS "last_transaction_date",
    SUM("t1"."transaction_amount") FILTER(WHERE
      "t1"."transaction_date" >= MAKE_DATE(2025, 4, 1)) AS "spend_last_90_days",
    SUM("t1"."transaction_amount") FILTER(WHERE
      (
        "t1"."transaction_date" >= MAKE_DATE(2025, 1, 1)
      )
      AND (
        "t1"."transaction_date" < MAKE_DATE(2025, 4, 1)
      )) AS "spend_prior_90_days",
    SUM("t1"."transaction_amount") FILTER(WHERE
      "t1"."is_travel") AS "travel_spend",
    SUM("t1"."transaction_amount") FILTER(WHERE
      "t1"."is_necessity") AS "necessities_spend"
  FROM "gold"."int_approved_transactions" AS "t1"
  GROUP BY
    1
) AS "t5"
  ON "t3"."customer_number" = "t5"."customer_number"
