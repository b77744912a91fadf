SELECT
  CAST("t3"."customer_number" AS BIGINT) AS "customer_number",
  CAST("t6"."transaction_date" AS DATE) AS "transaction_date",
  CAST("t6"."transaction_amount" AS DECIMAL(10, 2)) AS "transaction_amount",
  CAST("t7"."is_travel" AS BOOLEAN) AS "is_travel",
  CAST("t7"."is_necessity" AS BOOLEAN) AS "is_necessity"
FROM (
  SELECT
    *
  FROM READ_PARQUET('raw/fct_transactions.parquet') AS "t0"
  WHERE
    "t0"."status" = 'approved' AND "t0"."transaction_date" < MAKE_DATE(2025, 7, 1)
) AS "t6"
INNER JOIN "gold"."int_customer_numbers" AS "t3"
  ON "t6"."customer_key" = "t3"."customer_key"
LEFT OUTER JOIN (
  SELECT
    "t2"."category_key",
    "t2"."category_name" IN ('Travel', 'Airlines', 'Hotels') AS "is_travel",
    "t2"."category_name" IN ('Grocery', 'Gas', 'Utilities') AS "is_necessity"
  FROM READ_PARQUET('raw/dim_merchant_category.parquet') AS "t2"
) AS "t7"
  ON "t6"."merchant_category_key" = "t7"."category_key"
