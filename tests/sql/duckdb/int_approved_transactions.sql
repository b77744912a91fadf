SELECT
  CAST("t6"."transaction_key" AS TEXT) AS "transaction_key",
  CAST("t8"."customer_id" AS TEXT) AS "customer_id",
  CAST("t6"."transaction_date" AS TIMESTAMP) AS "transaction_date",
  CAST("t6"."transaction_amount" AS DECIMAL(10, 2)) AS "transaction_amount",
  CAST("t6"."merchant_category_key" AS BIGINT) AS "merchant_category_key"
FROM (
  SELECT
    *
  FROM READ_PARQUET('raw/fct_transactions.parquet') AS "t0"
  WHERE
    "t0"."status" = 'approved' AND "t0"."transaction_date" < MAKE_DATE(2025, 7, 1)
) AS "t6"
INNER JOIN (
  SELECT
    "t3"."customer_key",
    "t3"."customer_id"
  FROM READ_PARQUET('raw/dim_customer.parquet') AS "t3"
  SEMI JOIN "gold"."int_customers" AS "t4"
    ON "t3"."customer_id" = "t4"."customer_id"
) AS "t8"
  ON "t6"."customer_key" = "t8"."customer_key"
