SELECT customer_id
FROM {{ ref('metric_mom_spend_change') }}
GROUP BY customer_id
HAVING max(month_number) <> count(*)
