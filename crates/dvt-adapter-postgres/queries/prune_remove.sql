-- Removes the first events of a pruned run that are left. $1 tenant id, $2 run id, $3 most events.
WITH removed AS (
    DELETE FROM run_events AS e
    WHERE e.tenant_id = $1 AND e.run_id = $2
      AND e.run_seq <= (
          SELECT max(oldest.run_seq)
          FROM (
              SELECT k.run_seq FROM run_events AS k
              WHERE k.tenant_id = $1 AND k.run_id = $2
              ORDER BY k.run_seq
              LIMIT $3
          ) AS oldest
      )
    RETURNING 1
)
SELECT count(*) AS "removed!" FROM removed
