-- a table on purpose: the terminal export is cleaned once, not on every read
{{ config(materialized='table') }}

select
    id as payment_id,
    order_id,
    payment_method,
    cast(amount_cents as integer) as amount_cents
from {{ ref('raw_payments') }}
