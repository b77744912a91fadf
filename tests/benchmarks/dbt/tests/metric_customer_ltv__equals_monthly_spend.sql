SELECT 1
WHERE
    (SELECT sum(lifetime_value) FROM {{ ref('metric_customer_ltv') }})
    <> (SELECT sum(monthly_spend) FROM {{ ref('metric_mom_spend_change') }})
