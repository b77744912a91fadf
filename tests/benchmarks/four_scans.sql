-- The five marts as an ordinary dbt project would have them: one statement for each, which joins
-- the transactions to the dimensions and aggregates them on its own.

CREATE TABLE customer_segments AS
WITH customers AS (
    SELECT customer_id, customer_key
    FROM dim_customer
    WHERE is_current AND account_open_date <= as_of()
),
transactions AS (
    SELECT c.customer_id, t.transaction_date::DATE AS day, t.transaction_amount, m.category_name
    FROM fct_transactions AS t
    JOIN dim_customer AS c USING (customer_key)
    LEFT JOIN dim_merchant_category AS m ON t.merchant_category_key = m.category_key
    WHERE t.status = 'approved' AND t.transaction_date < as_of() + 1
),
measured AS (
    SELECT
        customer_id,
        count(*) AS total_transactions,
        sum(transaction_amount) AS lifetime_value,
        avg(transaction_amount) AS avg_transaction_value,
        min(day) AS first_transaction_date,
        max(day) AS last_transaction_date,
        sum(transaction_amount) FILTER (day >= as_of() - 90) AS spend_last_90_days,
        sum(transaction_amount) FILTER (day >= as_of() - 180 AND day < as_of() - 90)
            AS spend_prior_90_days,
        sum(transaction_amount) FILTER (category_name IN ('Travel', 'Airlines', 'Hotels'))
            AS travel_spend,
        sum(transaction_amount) FILTER (category_name IN ('Grocery', 'Gas', 'Utilities'))
            AS necessities_spend
    FROM transactions
    GROUP BY customer_id
),
filled AS (
    SELECT
        customer_id,
        customer_key,
        coalesce(total_transactions, 0) AS total_transactions,
        coalesce(lifetime_value, 0)::DECIMAL(18, 2) AS lifetime_value,
        coalesce(avg_transaction_value, 0) AS avg_transaction_value,
        first_transaction_date,
        last_transaction_date,
        date_diff('month', first_transaction_date, as_of()) AS tenure_months,
        coalesce(spend_last_90_days, 0)::DECIMAL(18, 2) AS spend_last_90_days,
        coalesce(spend_prior_90_days, 0)::DECIMAL(18, 2) AS spend_prior_90_days,
        coalesce(travel_spend::DOUBLE / nullif(lifetime_value, 0)::DOUBLE * 100, 0)
            AS travel_spend_pct,
        coalesce(necessities_spend::DOUBLE / nullif(lifetime_value, 0)::DOUBLE * 100, 0)
            AS necessities_spend_pct
    FROM customers
    LEFT JOIN measured USING (customer_id)
),
changed AS (
    SELECT
        *,
        coalesce(
            (spend_last_90_days - spend_prior_90_days)::DOUBLE
            / nullif(spend_prior_90_days, 0)::DOUBLE * 100,
            0
        ) AS spend_change_pct,
        spend_last_90_days::DOUBLE / 3 AS avg_monthly_spend
    FROM filled
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
    as_of() AS segment_assigned_date,
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
FROM changed;

CREATE TABLE metric_customer_ltv AS
WITH customers AS (
    SELECT customer_id, customer_key
    FROM dim_customer
    WHERE is_current AND account_open_date <= as_of()
),
transactions AS (
    SELECT c.customer_id, t.transaction_date::DATE AS day, t.transaction_amount
    FROM fct_transactions AS t
    JOIN dim_customer AS c USING (customer_key)
    WHERE t.status = 'approved' AND t.transaction_date < as_of() + 1
),
measured AS (
    SELECT
        customer_id,
        sum(transaction_amount) AS lifetime_value,
        count(*) AS total_transactions,
        min(day) AS first_transaction_date,
        max(day) AS last_transaction_date,
        max(day) - min(day) AS customer_age_days
    FROM transactions
    GROUP BY customer_id
)
SELECT
    customer_id,
    customers.customer_key,
    customer_segments.customer_segment,
    coalesce(measured.lifetime_value, 0)::DECIMAL(18, 2) AS lifetime_value,
    coalesce(measured.total_transactions, 0) AS total_transactions,
    measured.first_transaction_date,
    measured.last_transaction_date,
    coalesce(customer_age_days, 0) AS customer_age_days,
    coalesce(measured.lifetime_value::DOUBLE / nullif(customer_age_days, 0), 0)
        AS avg_spend_per_day,
    as_of() AS metric_calculated_date
FROM customers
JOIN customer_segments USING (customer_id)
LEFT JOIN measured USING (customer_id);

CREATE TABLE metric_avg_transaction_value AS
WITH customers AS (
    SELECT customer_id, customer_key
    FROM dim_customer
    WHERE is_current AND account_open_date <= as_of()
),
transactions AS (
    SELECT c.customer_id, t.transaction_amount
    FROM fct_transactions AS t
    JOIN dim_customer AS c USING (customer_key)
    WHERE t.status = 'approved' AND t.transaction_date < as_of() + 1
),
measured AS (
    SELECT
        customer_id,
        avg(transaction_amount) AS avg_transaction_value,
        stddev_samp(transaction_amount) AS transaction_value_stddev,
        min(transaction_amount) AS min_transaction_value,
        max(transaction_amount) AS max_transaction_value,
        count(*) AS transaction_count,
        median(transaction_amount::DOUBLE) AS median_transaction_value
    FROM transactions
    GROUP BY customer_id
),
filled AS (
    SELECT
        customer_id,
        customers.customer_key,
        customer_segments.customer_segment,
        coalesce(measured.avg_transaction_value, 0) AS avg_transaction_value,
        coalesce(transaction_value_stddev, 0) AS transaction_value_stddev,
        coalesce(min_transaction_value, 0)::DECIMAL(18, 2) AS min_transaction_value,
        coalesce(max_transaction_value, 0)::DECIMAL(18, 2) AS max_transaction_value,
        coalesce(transaction_count, 0) AS transaction_count,
        coalesce(median_transaction_value, 0) AS median_transaction_value
    FROM customers
    JOIN customer_segments USING (customer_id)
    LEFT JOIN measured USING (customer_id)
)
SELECT
    *,
    CASE
        WHEN transaction_count = 0 THEN 'No Transactions'
        WHEN transaction_value_stddev < 50 THEN 'Consistent'
        WHEN transaction_value_stddev < 200 THEN 'Moderate'
        ELSE 'Variable'
    END AS spending_consistency,
    as_of() AS metric_calculated_date
FROM filled;

CREATE TABLE metric_mom_spend_change AS
WITH customers AS (
    SELECT customer_id
    FROM dim_customer
    WHERE is_current AND account_open_date <= as_of()
),
transactions AS (
    SELECT
        c.customer_id,
        date_trunc('month', t.transaction_date)::DATE AS month,
        t.transaction_amount
    FROM fct_transactions AS t
    JOIN dim_customer AS c USING (customer_key)
    WHERE t.status = 'approved' AND t.transaction_date < as_of() + 1
),
monthly AS (
    SELECT customer_id, month, sum(transaction_amount)::DECIMAL(18, 2) AS monthly_spend
    FROM transactions
    SEMI JOIN customers USING (customer_id)
    GROUP BY customer_id, month
),
numbered AS (
    SELECT
        *,
        lag(monthly_spend) OVER by_month AS prior_month_spend,
        lag(month) OVER by_month AS prior_month,
        row_number() OVER by_month AS month_number
    FROM monthly
    WINDOW by_month AS (PARTITION BY customer_id ORDER BY month)
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
    customer_id,
    month,
    monthly_spend,
    prior_month_spend,
    mom_change_pct,
    month_number,
    months_since_prior,
    CASE
        WHEN month_number = 1 THEN 'First Month'
        WHEN mom_change_pct IS NULL THEN 'No Baseline'
        WHEN mom_change_pct > 50 THEN 'High Growth'
        WHEN mom_change_pct > 0 THEN 'Growth'
        WHEN mom_change_pct = 0 THEN 'Flat'
        WHEN mom_change_pct > -30 THEN 'Decline'
        ELSE 'High Decline'
    END AS mom_trend_category,
    as_of() AS metric_calculated_date
FROM changed;

CREATE TABLE customer_360_profile AS
WITH customers AS (
    SELECT * FROM dim_customer WHERE is_current AND account_open_date <= as_of()
),
months AS (
    SELECT
        customer_id,
        month_number AS active_months,
        month AS latest_month,
        monthly_spend AS latest_month_spend,
        mom_change_pct AS latest_mom_change_pct,
        mom_trend_category AS latest_mom_trend_category
    FROM metric_mom_spend_change
    QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY month DESC) = 1
)
SELECT
    customer_id,
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
    as_of() - c.account_open_date AS account_age_days,
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
    as_of() - l.last_transaction_date AS days_since_last_transaction,
    CASE
        WHEN as_of() - l.last_transaction_date <= 30 THEN 'Active (30 days)'
        WHEN as_of() - l.last_transaction_date <= 60 THEN 'Recent (60 days)'
        WHEN as_of() - l.last_transaction_date <= 90 THEN 'At Risk (90 days)'
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
    as_of() AS profile_updated_date
FROM customers AS c
JOIN metric_customer_ltv AS l USING (customer_id)
JOIN metric_avg_transaction_value AS a USING (customer_id)
JOIN customer_segments AS s USING (customer_id)
LEFT JOIN months AS m USING (customer_id)
LEFT JOIN churn_predictions AS p USING (customer_id);
