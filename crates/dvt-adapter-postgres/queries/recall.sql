-- Finds events that were stored together, as a repeated append's are: the first by its key, the others behind it. That is one
-- look-up for each request, where append.sql needs one for each event. At most one request for each run.
--
-- A row for each request of which all events are stored one behind the other, with the content that was sent. Of the others nothing
-- is told: some may be stored, elsewhere or with other content. Nothing either where a standby's word may still be awaited:
-- what this snapshot sees was flushed before it could be seen, and is only then as durable as it will be.
--
-- $1 tenant ids, $2 run ids, $3 how many events come before its own, $4 how many are its own. $5-$9 the events' columns.
SELECT r.request_no AS "request_no!", o.last_seq, first.run_seq AS "first_seq!",
       found.engine_attempts AS "engine_attempts!", found.emitted_at AS "emitted_at!: Vec<Moment>",
       found.persisted_at AS "persisted_at!: Vec<Moment>"
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
    WITH ORDINALITY AS r (tenant_id, run_id, events_before, events, request_no)
CROSS JOIN LATERAL (
    SELECT outbox.last_seq
    FROM outbox
    WHERE outbox.tenant_id = r.tenant_id AND outbox.run_id = r.run_id AND outbox.pruned_at IS NULL
    LIMIT 1
) AS o
CROSS JOIN LATERAL (
    SELECT k.run_seq
    FROM run_events AS k
    WHERE k.tenant_id = r.tenant_id AND k.run_id = r.run_id
      -- Not `=`: see append.sql.
      AND k.idempotency_key BETWEEN ($7::text[])[r.events_before + 1] AND ($7::text[])[r.events_before + 1]
    ORDER BY k.idempotency_key
    LIMIT 1
) AS first
CROSS JOIN LATERAL (
    SELECT array_agg(k.engine_attempt::bigint) AS engine_attempts, array_agg(k.emitted_at::timestamptz) AS emitted_at,
           array_agg(k.persisted_at::timestamptz) AS persisted_at
    FROM (
        SELECT log.*
        FROM run_events AS log
        WHERE log.tenant_id = r.tenant_id AND log.run_id = r.run_id AND log.run_seq >= first.run_seq
        ORDER BY log.run_seq
        LIMIT r.events
    ) AS k
    HAVING array_agg(k.idempotency_key::text) = ($7::text[])[r.events_before + 1:r.events_before + r.events]
       AND array_agg(k.event_type) = ($5::text[])[r.events_before + 1:r.events_before + r.events]
       AND array_agg(k.step_id) = ($6::text[])[r.events_before + 1:r.events_before + r.events]
       AND array_agg(k.logical_attempt::bigint) = ($8::bigint[])[r.events_before + 1:r.events_before + r.events]
       AND array_agg(k.payload::text) = ($9::text[])[r.events_before + 1:r.events_before + r.events]
) AS found
WHERE current_setting('synchronous_standby_names') = '' AND current_setting('synchronous_commit') <> 'off'
