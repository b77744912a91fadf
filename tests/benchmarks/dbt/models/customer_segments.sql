WITH changed AS (
    SELECT
        *,
        date_diff('month', first_transaction_date, {{ as_of() }}) AS tenure_months,
        coalesce(
            (spend_last_90_days - spend_prior_90_days)::DOUBLE
            / nullif(spend_prior_90_days, 0)::DOUBLE * 100,
            0
        ) AS spend_change_pct,
        spend_last_90_days::DOUBLE / 3 AS avg_monthly_spend
    FROM {{ ref('int_customer_transaction_summary') }}
)
SELECT
    customer_id,
    customer_key,
    CASE
        WHEN avg_monthly_spend >= 5000 AND travel_spend_pct >= 25 THEN 'High-Value Travelers'
        WHEN spend_change_pct <= -30 AND spend_prior_90_days >= 2000 THEN 'Declining'
        WHEN tenure_months <= 6 AND spend_change_pct >= 50 THEN 'New & Growing'
        WHEN avg_monthly_spend < 1500 AND necessities_spend_pct >= 60 THEN 'Budget-Conscious'
        ELSE 'Stable Mid-Spenders'
    END AS customer_segment,
    {{ as_of() }} AS segment_assigned_date,
    total_transactions,
    lifetime_value,
    avg_transaction_value,
    first_transaction_date,
    last_transaction_date,
    tenure_months,
    spend_last_90_days,
    spend_prior_90_days,
    spend_change_pct,
    avg_monthly_spend,
    travel_spend_pct,
    necessities_spend_pct
FROM changed
