select p.payment_id, p.order_id, o.store_id, p.payment_method, p.amount_cents
from {{ ref('stg_payments') }} p
join {{ ref('stg_orders') }} o using (order_id)
