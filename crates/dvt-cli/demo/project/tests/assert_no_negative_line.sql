-- A line of an order can never be worth less than nothing.
select order_item_id, line_cents
from {{ ref('int_order_lines') }}
where line_cents < 0
