select sku, product_name, product_type, price_cents
from {{ ref('raw_products') }}
