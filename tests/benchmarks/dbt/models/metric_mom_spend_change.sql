WITH monthly AS (
    SELECT
        number,
        date_trunc('month', day)::DATE AS month,
        sum(amount)::DECIMAL(18, 2) AS monthly_spend
    FROM {{ ref('int_approved_transactions') }}
    GROUP BY 1, 2
),
numbered AS (
    SELECT
        *,
        lag(monthly_spend) OVER (PARTITION BY number ORDER BY month) AS prior_month_spend,
        lag(month) OVER (PARTITION BY number ORDER BY month) AS prior_month,
        row_number() OVER (PARTITION BY number ORDER BY month) AS month_number
    FROM monthly
),
changed AS (
    SELECT
        *,
        (monthly_spend - prior_month_spend)::DOUBLE / nullif(prior_month_spend, 0)::DOUBLE * 100
            AS mom_change_pct,
        date_diff('month', prior_month, month) AS months_since_prior
    FROM numbered
)
SELECT
    c.customer_id,
    m.month,
    m.monthly_spend,
    m.prior_month_spend,
    m.mom_change_pct,
    m.month_number,
    m.months_since_prior,
    CASE
        WHEN m.month_number = 1 THEN 'First Month'
        WHEN m.mom_change_pct IS NULL THEN 'No Baseline'
        WHEN m.mom_change_pct > 50 THEN 'High Growth'
        WHEN m.mom_change_pct > 0 THEN 'Growth'
        WHEN m.mom_change_pct = 0 THEN 'Flat'
        WHEN m.mom_change_pct > -30 THEN 'Decline'
        ELSE 'High Decline'
    END AS mom_trend_category,
    {{ as_of() }} AS metric_calculated_date
FROM changed AS m
JOIN {{ ref('int_customers') }} AS c ON m.number = c.number
