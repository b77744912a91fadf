SELECT
  CAST("t1"."customer_id" AS TEXT) AS "customer_id",
  CAST("t1"."customer_key" AS TEXT) AS "customer_key",
  CAST("t1"."customer_number" AS BIGINT) AS "customer_number",
  CAST("t1"."first_name" AS TEXT) AS "first_name",
  CAST("t1"."last_name" AS TEXT) AS "last_name",
  CAST("t1"."email" AS TEXT) AS "email",
  CAST("t1"."age" AS BIGINT) AS "age",
  CAST("t1"."state" AS TEXT) AS "state",
  CAST("t1"."city" AS TEXT) AS "city",
  CAST("t1"."employment_status" AS TEXT) AS "employment_status",
  CAST("t1"."card_type" AS TEXT) AS "card_type",
  CAST("t1"."credit_limit" AS DECIMAL(18, 2)) AS "credit_limit",
  CAST("t1"."account_open_date" AS DATE) AS "account_open_date"
FROM (
  SELECT
    "t0"."customer_key",
    "t0"."customer_id",
    "t0"."first_name",
    "t0"."last_name",
    "t0"."email",
    "t0"."age",
    "t0"."state",
    "t0"."city",
    "t0"."employment_status",
    "t0"."card_type",
    "t0"."credit_limit",
    "t0"."account_open_date",
    "t0"."is_current",
    DENSE_RANK() OVER (
      ORDER BY "t0"."customer_id" ASC
      ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    ) - 1 AS "customer_number"
  FROM READ_PARQUET('raw/dim_customer.parquet') AS "t0"
) AS "t1"
WHERE
  "t1"."is_current" AND "t1"."account_open_date" <= MAKE_DATE(2025, 6, 30)
