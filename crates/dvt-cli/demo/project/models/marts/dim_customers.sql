-- The usual gap between two orders is bootstrapped: most customers have few orders.
with gaps as (
    select customer_id, ordered_at - lag(ordered_at) over (
        partition by customer_id order by ordered_at, order_id) as gap
    from {{ ref('stg_orders') }}
    qualify gap is not null
),
numbered as (
    select *, row_number() over (partition by customer_id) - 1 as n,
        count(*) over (partition by customer_id) as gaps
    from gaps
),
trials as (
    select d.customer_id, r.range as trial, avg(p.gap) as gap
    from numbered d
    cross join range(4000) r
    join numbered p on p.customer_id = d.customer_id and p.n = hash(d.n, r.range) % d.gaps
    group by all
),
typical as (
    select customer_id, median(gap) as usual_gap_days from trials group by all
)
select
    c.customer_id,
    c.customer_name,
    c.city,
    count(o.order_id) as orders,
    max(o.ordered_at) as last_order,
    any_value(t.usual_gap_days) as usual_gap_days
from {{ ref('stg_customers') }} c
left join {{ ref('stg_orders') }} o using (customer_id)
left join typical t using (customer_id)
group by all
