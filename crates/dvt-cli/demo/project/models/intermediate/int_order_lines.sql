select
    i.order_item_id,
    i.order_id,
    o.customer_id,
    o.store_id,
    o.ordered_at,
    i.sku,
    p.product_type,
    i.quantity,
    i.quantity * p.price_cents as line_cents
from {{ ref('stg_order_items') }} i
join {{ ref('stg_orders') }} o using (order_id)
join {{ ref('stg_products') }} p using (sku)
where o.status <> 'returned'
