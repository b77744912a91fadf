WITH months AS (
    SELECT
        customer_id,
        month_number AS active_months,
        month AS latest_month,
        monthly_spend AS latest_month_spend,
        mom_change_pct AS latest_mom_change_pct,
        mom_trend_category AS latest_mom_trend_category
    FROM {{ ref('metric_mom_spend_change') }}
    QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY month DESC) = 1
)
SELECT
    c.customer_id,
    c.customer_key,
    c.first_name || ' ' || c.last_name AS full_name,
    c.first_name,
    c.last_name,
    c.email,
    c.age,
    c.state,
    c.city,
    c.employment_status,
    c.card_type,
    c.credit_limit::DECIMAL(18, 2) AS credit_limit,
    c.account_open_date,
    date_diff('day', c.account_open_date, {{ as_of() }}) AS account_age_days,
    s.customer_segment,
    s.segment_assigned_date,
    s.tenure_months,
    l.lifetime_value,
    l.total_transactions,
    l.customer_age_days,
    l.avg_spend_per_day,
    CASE
        WHEN l.lifetime_value < 10000 THEN '<$10K'
        WHEN l.lifetime_value < 50000 THEN '$10K-$50K'
        WHEN l.lifetime_value < 100000 THEN '$50K-$100K'
        ELSE '$100K+'
    END AS ltv_tier,
    a.avg_transaction_value,
    a.transaction_value_stddev,
    a.min_transaction_value,
    a.max_transaction_value,
    a.median_transaction_value,
    a.spending_consistency,
    s.spend_last_90_days,
    s.spend_prior_90_days,
    s.spend_change_pct,
    s.avg_monthly_spend,
    coalesce(m.active_months, 0) AS active_months,
    m.latest_month,
    m.latest_month_spend,
    m.latest_mom_change_pct,
    m.latest_mom_trend_category,
    l.first_transaction_date,
    l.last_transaction_date,
    date_diff('day', l.last_transaction_date, {{ as_of() }}) AS days_since_last_transaction,
    CASE
        WHEN date_diff('day', l.last_transaction_date, {{ as_of() }}) <= 30 THEN 'Active (30 days)'
        WHEN date_diff('day', l.last_transaction_date, {{ as_of() }}) <= 60 THEN 'Recent (60 days)'
        WHEN date_diff('day', l.last_transaction_date, {{ as_of() }}) <= 90 THEN 'At Risk (90 days)'
        ELSE 'Inactive (90+ days)'
    END AS recency_status,
    s.travel_spend_pct,
    s.necessities_spend_pct,
    CASE
        WHEN s.travel_spend_pct >= 25 THEN 'Travel-Focused'
        WHEN s.necessities_spend_pct >= 60 THEN 'Necessity-Focused'
        ELSE 'Balanced'
    END AS spending_profile,
    CASE
        WHEN c.credit_limit > 0 THEN s.avg_monthly_spend / c.credit_limit::DOUBLE * 100
        ELSE 0
    END AS credit_utilization_pct,
    p.churn_risk_score,
    CASE
        WHEN p.churn_risk_score IS NULL THEN 'Not Scored'
        WHEN p.churn_risk_score >= 70 THEN 'High Risk'
        WHEN p.churn_risk_score >= 40 THEN 'Medium Risk'
        ELSE 'Low Risk'
    END AS churn_risk_category,
    s.customer_segment = 'Declining' OR coalesce(p.churn_risk_score >= 70, false)
        AS eligible_for_retention_campaign,
    s.customer_segment = 'New & Growing' AS eligible_for_onboarding_campaign,
    s.customer_segment = 'High-Value Travelers' AS eligible_for_premium_campaign,
    {{ as_of() }} AS profile_updated_date
FROM {{ ref('int_customers') }} AS c
JOIN {{ ref('metric_customer_ltv') }} AS l ON c.customer_id = l.customer_id
JOIN {{ ref('metric_avg_transaction_value') }} AS a ON c.customer_id = a.customer_id
JOIN {{ ref('customer_segments') }} AS s ON c.customer_id = s.customer_id
LEFT JOIN months AS m ON c.customer_id = m.customer_id
LEFT JOIN {{ source('raw', 'churn_predictions') }} AS p ON c.customer_id = p.customer_id
