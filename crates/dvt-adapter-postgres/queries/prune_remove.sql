-- Removes the first events of a pruned run that are left, and its checkpoint: this snapshot is newer than the mark, so it sees
-- one that was saved while the mark waited. Tells how many it saw, of at most $3, and how many of these it removed.
-- $1 tenant id, $2 run id, $3 most events, $4 most payload bytes.
WITH checkpoint AS (
    DELETE FROM run_checkpoints AS c WHERE c.tenant_id = $1 AND c.run_id = $2
),
oldest AS MATERIALIZED (
    SELECT seen.run_seq,
           sum(seen.payload_size::int) OVER (ORDER BY seen.run_seq) AS bytes,
           row_number() OVER (ORDER BY seen.run_seq) AS place
    FROM (
        SELECT k.run_seq, k.payload_size FROM run_events AS k
        WHERE k.tenant_id = $1 AND k.run_id = $2
        ORDER BY k.run_seq
        LIMIT $3
    ) AS seen
),
removed AS (
    DELETE FROM run_events AS e
    WHERE e.tenant_id = $1 AND e.run_id = $2
      AND e.run_seq <= (
          SELECT max(oldest.run_seq) FROM oldest WHERE oldest.bytes <= $4::bigint OR oldest.place = 1
      )
    RETURNING 1
)
SELECT (SELECT count(*) FROM oldest) AS "seen!", (SELECT count(*) FROM removed) AS "removed!"
