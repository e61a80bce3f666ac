-- Sets what the store's statements need for the rest of the transaction, and tells what was set before. $1 search_path.
-- A commit that nobody waits for becomes one that is: what others can see of the log has to be durable. Under the caller's own
-- search_path, so functions are named with their schema.
WITH theirs AS MATERIALIZED (
    SELECT pg_catalog.current_setting('search_path') AS search_path,
           pg_catalog.current_setting('plan_cache_mode') AS plan_cache_mode,
           pg_catalog.current_setting('enable_seqscan') AS enable_seqscan,
           pg_catalog.current_setting('enable_bitmapscan') AS enable_bitmapscan,
           pg_catalog.current_setting('enable_sort') AS enable_sort,
           pg_catalog.current_setting('jit') AS jit,
           pg_catalog.current_setting('synchronous_commit') AS synchronous_commit
),
ours AS MATERIALIZED (
    SELECT pg_catalog.set_config('search_path', $1, true), pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true),
           pg_catalog.set_config('enable_seqscan', 'off', true), pg_catalog.set_config('enable_bitmapscan', 'off', true),
           pg_catalog.set_config('enable_sort', 'off', true), pg_catalog.set_config('jit', 'off', true),
           pg_catalog.set_config(
               'synchronous_commit',
               CASE theirs.synchronous_commit WHEN 'off' THEN 'on' ELSE theirs.synchronous_commit END,
               true
           )
    FROM theirs
)
SELECT theirs.search_path AS "search_path!", theirs.plan_cache_mode AS "plan_cache_mode!",
       theirs.enable_seqscan AS "enable_seqscan!", theirs.enable_bitmapscan AS "enable_bitmapscan!",
       theirs.enable_sort AS "enable_sort!", theirs.jit AS "jit!"
FROM theirs, ours
