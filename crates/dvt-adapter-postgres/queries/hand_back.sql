-- Puts a transaction's settings back. $1 search_path, $2 plan_cache_mode, $3 enable_seqscan, $4 enable_bitmapscan,
-- $5 enable_sort, $6 jit.
SELECT pg_catalog.set_config('search_path', $1, true) AS "search_path!", pg_catalog.set_config('plan_cache_mode', $2, true) AS "plan_cache_mode!",
       pg_catalog.set_config('enable_seqscan', $3, true) AS "enable_seqscan!",
       pg_catalog.set_config('enable_bitmapscan', $4, true) AS "enable_bitmapscan!", pg_catalog.set_config('enable_sort', $5, true) AS "enable_sort!",
       pg_catalog.set_config('jit', $6, true) AS "jit!"
