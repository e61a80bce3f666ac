select
    c.customer_id,
    c.customer_name,
    sum(p.amount_cents) as lifetime_cents
from {{ ref('dim_customers') }} c
join {{ ref('stg_orders') }} o using (customer_id)
join {{ ref('fct_payments') }} p using (order_id)
group by all
