select id as order_item_id, order_id, sku, quantity
from {{ ref('raw_order_items') }}
