-- How often two products end up in one basket, against 6,000 shuffles of the shop's
-- baskets, so that the lift is compared with chance and not with zero.
with lines as (
    select order_item_id, order_id, sku from {{ ref('int_order_lines') }}
),
shuffled as (
    select r.range as trial, hash(l.order_item_id, r.range) % 210 as order_id, l.sku
    from lines l, range(6000) r
),
chance as (
    select a.sku as sku_a, b.sku as sku_b, count(*) / 6000.0 as expected
    from shuffled a
    join shuffled b on a.trial = b.trial and a.order_id = b.order_id and a.sku < b.sku
    group by 1, 2
),
seen as (
    select a.sku as sku_a, b.sku as sku_b, count(*) as observed
    from lines a
    join lines b on a.order_id = b.order_id and a.sku < b.sku
    group by 1, 2
)
select sku_a, sku_b, observed, expected, observed / expected as lift
from seen
join chance using (sku_a, sku_b)
