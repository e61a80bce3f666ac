-- A bootstrap forecast: resample the past days many times, keep the quantiles.
with days as (
    select store_id, net_cents, count(*) over (partition by store_id) as days,
        row_number() over (partition by store_id order by ordered_at) - 1 as n
    from {{ ref('fct_daily_sales') }}
),
draws as (
    select s.store_id, r.range // 28 as trial, hash(s.store_id, r.range) % s.days as n
    from (select distinct store_id, days from days) s, range(2000000) r
),
totals as (
    select store_id, trial, sum(net_cents) as month_cents
    from draws
    join days using (store_id, n)
    group by all
)
select
    store_id,
    quantile_cont(month_cents, 0.1) as low_cents,
    quantile_cont(month_cents, 0.5) as mid_cents,
    quantile_cont(month_cents, 0.9) as high_cents
from totals
group by all
