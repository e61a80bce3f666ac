select
    id as customer_id,
    first_name || ' ' || last_name as customer_name,
    city,
    signed_up::date as signed_up
from {{ ref('raw_customers') }}
