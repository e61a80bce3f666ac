-- Sets what the store's statements need for the rest of the transaction, and tells what was set before. $1 search_path.
-- A commit that nobody waits for becomes one that is: what others can see of the log has to be durable.
WITH theirs AS MATERIALIZED (
    SELECT current_setting('search_path') AS search_path,
           current_setting('plan_cache_mode') AS plan_cache_mode,
           current_setting('enable_seqscan') AS enable_seqscan,
           current_setting('enable_bitmapscan') AS enable_bitmapscan,
           current_setting('enable_sort') AS enable_sort,
           current_setting('jit') AS jit
),
ours AS MATERIALIZED (
    SELECT set_config('search_path', $1, true), set_config('plan_cache_mode', 'force_generic_plan', true),
           set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
           set_config('enable_sort', 'off', true), set_config('jit', 'off', true),
           set_config(
               'synchronous_commit',
               CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END,
               true
           )
    FROM theirs
)
SELECT theirs.search_path AS "search_path!", theirs.plan_cache_mode AS "plan_cache_mode!",
       theirs.enable_seqscan AS "enable_seqscan!", theirs.enable_bitmapscan AS "enable_bitmapscan!",
       theirs.enable_sort AS "enable_sort!", theirs.jit AS "jit!"
FROM theirs, ours
