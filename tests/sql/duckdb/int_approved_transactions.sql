SELECT
  CAST("t9"."customer_number" AS BIGINT) AS "customer_number",
  CAST("t5"."transaction_date" AS DATE) AS "transaction_date",
  CAST("t5"."transaction_amount" AS DECIMAL(10, 2)) AS "transaction_amount",
  CAST("t6"."is_travel" AS BOOLEAN) AS "is_travel",
  CAST("t6"."is_necessity" AS BOOLEAN) AS "is_necessity"
FROM (
  SELECT
    *
  FROM READ_PARQUET('raw/fct_transactions.parquet') AS "t0"
  WHERE
    "t0"."status" = 'approved' AND "t0"."transaction_date" < MAKE_DATE(2025, 7, 1)
) AS "t5"
INNER JOIN (
  SELECT
    "t7"."customer_key",
    "t7"."customer_number"
  FROM (
    SELECT
      "t2"."customer_key",
      "t2"."customer_id",
      "t2"."first_name",
      "t2"."last_name",
      "t2"."email",
      "t2"."age",
      "t2"."state",
      "t2"."city",
      "t2"."employment_status",
      "t2"."card_type",
      "t2"."credit_limit",
      "t2"."account_open_date",
      "t2"."is_current",
      DENSE_RANK() OVER (
        ORDER BY "t2"."customer_id" ASC
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
      ) - 1 AS "customer_number"
    FROM READ_PARQUET('raw/dim_customer.parquet') AS "t2"
  ) AS "t7"
) AS "t9"
  ON "t5"."customer_key" = "t9"."customer_key"
LEFT OUTER JOIN (
  SELECT
    "t1"."category_key",
    "t1"."category_name" IN ('Travel', 'Airlines', 'Hotels') AS "is_travel",
    "t1"."category_name" IN ('Grocery', 'Gas', 'Utilities') AS "is_necessity"
  FROM READ_PARQUET('raw/dim_merchant_category.parquet') AS "t1"
) AS "t6"
  ON "t5"."merchant_category_key" = "t6"."category_key"
