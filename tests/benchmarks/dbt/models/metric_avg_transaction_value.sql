SELECT
    s.customer_id,
    s.customer_key,
    c.customer_segment,
    s.avg_transaction_value,
    s.transaction_value_stddev,
    s.min_transaction_value,
    s.max_transaction_value,
    s.total_transactions AS transaction_count,
    s.median_transaction_value,
    CASE
        WHEN s.total_transactions = 0 THEN 'No Transactions'
        WHEN s.transaction_value_stddev < 50 THEN 'Consistent'
        WHEN s.transaction_value_stddev < 200 THEN 'Moderate'
        ELSE 'Variable'
    END AS spending_consistency,
    {{ as_of() }} AS metric_calculated_date
FROM {{ ref('int_customer_transaction_summary') }} AS s
JOIN {{ ref('customer_segments') }} AS c ON s.customer_id = c.customer_id
