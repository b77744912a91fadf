SELECT
    row_number() OVER (ORDER BY customer_id)::INTEGER AS number,
    customer_id,
    customer_key,
    first_name,
    last_name,
    email,
    age,
    state,
    city,
    employment_status,
    card_type,
    credit_limit,
    account_open_date
FROM {{ source('raw', 'dim_customer') }}
WHERE is_current AND account_open_date <= {{ as_of() }}
