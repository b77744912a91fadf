SELECT
    customer_id,
    customer_key,
    customer_segment,
    lifetime_value,
    total_transactions,
    first_transaction_date,
    last_transaction_date,
    coalesce(date_diff('day', first_transaction_date, last_transaction_date), 0)
        AS customer_age_days,
    coalesce(
        lifetime_value::DOUBLE
        / nullif(date_diff('day', first_transaction_date, last_transaction_date), 0),
        0
    ) AS avg_spend_per_day,
    {{ as_of() }} AS metric_calculated_date
FROM {{ ref('customer_segments') }}
