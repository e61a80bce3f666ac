-- Makes a tombstone of an ended, fully delivered run; from then on reads show no events.
-- $1 tenant id, $2 run id, $3 clock shift in microseconds.
WITH head AS MATERIALIZED (
    SELECT o.status, o.last_seq, o.delivered_seq, o.pruned_at FROM outbox AS o
    WHERE o.tenant_id = $1 AND o.run_id = $2
    FOR UPDATE
),
marked AS (
    UPDATE outbox AS o
    SET pruned_at = clock_timestamp() + $3::bigint * interval '1 microsecond',
        -- As the locked row has them. The server checks constraints before it notices that the row is newer than its
        -- snapshot: the old row's columns with the new mark would be refused.
        last_seq = head.last_seq, delivered_seq = head.delivered_seq, due_at = NULL, parked_at = NULL
    FROM head
    WHERE o.tenant_id = $1 AND o.run_id = $2
      AND head.pruned_at IS NULL AND head.delivered_seq = head.last_seq
      AND head.status IN ('Completed', 'Failed', 'Cancelled')
    RETURNING o.pruned_at
)
SELECT head.status, head.last_seq, head.delivered_seq,
       coalesce(head.pruned_at, (SELECT marked.pruned_at FROM marked)) AS "pruned_at: Moment"
FROM head
