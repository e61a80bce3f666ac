-- Which pairs are seen more often than luck explains? Draw the count of a pair many
-- times around its expected value and see how rarely chance gets that far.
with draws as (
    select
        p.sku_a,
        p.sku_b,
        p.observed,
        p.lift,
        p.expected + sqrt(p.expected) * sqrt(-2 * ln((hash(p.sku_a || p.sku_b, r.range) % 1000003 + 1) / 1000004.0))
            * cos(2 * pi() * (hash(r.range, p.sku_b || p.sku_a) % 1000003) / 1000003.0) as drawn
    from {{ ref('int_basket_pairs') }} p, range(1200000) r
),
tested as (
    select sku_a, sku_b, observed, lift, avg((drawn >= observed)::int) as chance
    from draws
    group by all
)
select a.product_name as product, b.product_name as goes_with, t.observed,
    round(t.lift, 2) as lift, round(t.chance, 4) as chance
from tested t
join {{ ref('stg_products') }} a on a.sku = t.sku_a
join {{ ref('stg_products') }} b on b.sku = t.sku_b
order by chance
