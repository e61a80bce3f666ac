select
    store_id,
    ordered_at,
    count(distinct order_id) as orders,
    sum(line_cents) as net_cents
from {{ ref('int_order_lines') }}
group by all
