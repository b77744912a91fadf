SELECT
  CAST("t0"."customer_id" AS TEXT) AS "customer_id",
  CAST("t0"."customer_key" AS TEXT) AS "customer_key",
  CAST("t0"."first_name" AS TEXT) AS "first_name",
  CAST("t0"."last_name" AS TEXT) AS "last_name",
  CAST("t0"."email" AS TEXT) AS "email",
  CAST("t0"."age" AS BIGINT) AS "age",
  CAST("t0"."state" AS TEXT) AS "state",
  CAST("t0"."city" AS TEXT) AS "city",
  CAST("t0"."employment_status" AS TEXT) AS "employment_status",
  CAST("t0"."card_type" AS TEXT) AS "card_type",
  CAST("t0"."credit_limit" AS DECIMAL(18, 2)) AS "credit_limit",
  CAST("t0"."account_open_date" AS DATE) AS "account_open_date"
FROM READ_PARQUET('raw/dim_customer.parquet') AS "t0"
WHERE
  "t0"."is_current" AND "t0"."account_open_date" <= MAKE_DATE(2025, 6, 30)
