SELECT customer_id
FROM {{ source('raw', 'dim_customer') }}
GROUP BY customer_id
HAVING count(*) FILTER (WHERE is_current) <> 1
