SELECT
  CAST("t1"."customer_key" AS TEXT) AS "customer_key",
  CAST("t1"."customer_number" AS BIGINT) AS "customer_number"
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
