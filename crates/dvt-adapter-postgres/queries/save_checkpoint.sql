-- Keeps a checkpoint that is not older than the stored one, nor beyond the head. The head's lock lets one saver in at a time.
-- $1 tenant id, $2 run id, $3 run_seq, $4 fold version, $5 checksum, $6 state.
WITH head AS MATERIALIZED (
    SELECT o.last_seq, o.pruned_at FROM outbox AS o WHERE o.tenant_id = $1 AND o.run_id = $2 FOR UPDATE
),
saved AS (
    INSERT INTO run_checkpoints AS c (tenant_id, run_id, run_seq, fold_version, checksum, state)
    SELECT $1, $2, $3::bigint, $4, $5, $6
    FROM head
    WHERE head.pruned_at IS NULL AND $3::bigint <= head.last_seq
    ON CONFLICT ON CONSTRAINT run_checkpoints_pkey DO UPDATE
    SET run_seq = excluded.run_seq, fold_version = excluded.fold_version, checksum = excluded.checksum, state = excluded.state
    WHERE c.run_seq <= excluded.run_seq
    RETURNING c.run_seq
)
SELECT head.last_seq, head.pruned_at AS "pruned_at: Moment", EXISTS (SELECT FROM saved) AS "saved!",
       -- As the snapshot saw it: older than a saver that was waited for.
       (SELECT c.run_seq FROM run_checkpoints AS c WHERE c.tenant_id = $1 AND c.run_id = $2) AS stored_seq
FROM head
