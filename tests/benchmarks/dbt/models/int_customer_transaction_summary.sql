WITH sums AS (
    SELECT
        number,
        count(*) AS total_transactions,
        sum(amount) AS lifetime_value,
        avg(amount::DOUBLE) AS avg_transaction_value,
        stddev_samp(amount::DOUBLE) AS transaction_value_stddev,
        min(amount) AS min_transaction_value,
        max(amount) AS max_transaction_value,
        quantile_cont(amount::DOUBLE, 0.5) AS median_transaction_value,
        min(day) AS first_transaction_date,
        max(day) AS last_transaction_date,
        sum(amount) FILTER (WHERE day >= {{ as_of() }} - INTERVAL 90 DAY) AS last_90_days,
        sum(amount) FILTER (
            WHERE day >= {{ as_of() }} - INTERVAL 180 DAY AND day < {{ as_of() }} - INTERVAL 90 DAY
        ) AS prior_90_days,
        sum(amount) FILTER (WHERE is_travel) AS travel,
        sum(amount) FILTER (WHERE is_necessity) AS necessities
    FROM {{ ref('int_approved_transactions') }}
    GROUP BY number
)
SELECT
    c.customer_id,
    c.customer_key,
    coalesce(total_transactions, 0) AS total_transactions,
    coalesce(lifetime_value, 0)::DECIMAL(18, 2) AS lifetime_value,
    coalesce(avg_transaction_value, 0) AS avg_transaction_value,
    coalesce(transaction_value_stddev, 0) AS transaction_value_stddev,
    coalesce(min_transaction_value, 0)::DECIMAL(18, 2) AS min_transaction_value,
    coalesce(max_transaction_value, 0)::DECIMAL(18, 2) AS max_transaction_value,
    coalesce(median_transaction_value, 0) AS median_transaction_value,
    first_transaction_date,
    last_transaction_date,
    coalesce(last_90_days, 0)::DECIMAL(18, 2) AS spend_last_90_days,
    coalesce(prior_90_days, 0)::DECIMAL(18, 2) AS spend_prior_90_days,
    coalesce(travel::DOUBLE / nullif(lifetime_value, 0)::DOUBLE * 100, 0) AS travel_spend_pct,
    coalesce(necessities::DOUBLE / nullif(lifetime_value, 0)::DOUBLE * 100, 0)
        AS necessities_spend_pct
FROM {{ ref('int_customers') }} AS c
LEFT JOIN sums ON c.number = sums.number
