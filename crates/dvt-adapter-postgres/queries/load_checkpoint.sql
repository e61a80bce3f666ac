-- A run's checkpoint: a row without one if there is none. $1 tenant id, $2 run id.
SELECT c.run_seq AS "run_seq?", c.fold_version AS "fold_version?", c.checksum AS "checksum?", c.state AS "state?"
FROM outbox AS o
LEFT JOIN run_checkpoints AS c ON c.tenant_id = o.tenant_id AND c.run_id = o.run_id AND o.pruned_at IS NULL
WHERE o.tenant_id = $1 AND o.run_id = $2
