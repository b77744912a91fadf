WITH versions AS (
    SELECT v.customer_key, c.number
    FROM {{ source('raw', 'dim_customer') }} AS v
    JOIN {{ ref('int_customers') }} AS c ON v.customer_id = c.customer_id
),
categories AS (
    SELECT
        category_key,
        category_name IN ('Travel', 'Airlines', 'Hotels') AS is_travel,
        category_name IN ('Grocery', 'Gas', 'Utilities') AS is_necessity
    FROM {{ source('raw', 'dim_merchant_category') }}
)
SELECT
    v.number,
    t.transaction_date::DATE AS day,
    t.transaction_amount AS amount,
    c.is_travel,
    c.is_necessity
FROM {{ source('raw', 'fct_transactions') }} AS t
JOIN versions AS v ON t.customer_key = v.customer_key
LEFT JOIN categories AS c ON t.merchant_category_key = c.category_key
WHERE t.status = 'approved' AND t.transaction_date < {{ as_of() }} + INTERVAL 1 DAY
