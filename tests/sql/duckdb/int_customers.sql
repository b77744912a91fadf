SELECT
  CAST("t4"."customer_id" AS TEXT) AS "customer_id",
  CAST("t4"."customer_key" AS TEXT) AS "customer_key",
  CAST("t2"."customer_number" AS BIGINT) AS "customer_number",
  CAST("t4"."first_name" AS TEXT) AS "first_name",
  CAST("t4"."last_name" AS TEXT) AS "last_name",
  CAST("t4"."email" AS TEXT) AS "email",
  CAST("t4"."age" AS BIGINT) AS "age",
  CAST("t4"."state" AS TEXT) AS "state",
  CAST("t4"."city" AS TEXT) AS "city",
  CAST("t4"."employment_status" AS TEXT) AS "employment_status",
  CAST("t4"."card_type" AS TEXT) AS "card_type",
  CAST("t4"."credit_limit" AS DECIMAL(18, 2)) AS "credit_limit",
  CAST("t4"."account_open_date" AS DATE) AS "account_open_date"
FROM (
  SELECT
    *
  FROM READ_PARQUET('raw/dim_customer.parquet') AS "t0"
  WHERE
    "t0"."is_current" AND "t0"."account_open_date" <= MAKE_DATE(2025, 6, 30)
) AS "t4"
INNER JOIN "gold"."int_customer_numbers" AS "t2"
  ON "t4"."customer_key" = "t2"."customer_key"
