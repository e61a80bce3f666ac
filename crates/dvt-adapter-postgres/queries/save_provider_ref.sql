-- Replaces a run's provider reference, unless the run is pruned. $1 tenant id, $2 run id, $3-$6 the reference.
WITH head AS MATERIALIZED (
    SELECT o.pruned_at FROM outbox AS o WHERE o.tenant_id = $1 AND o.run_id = $2 FOR UPDATE
),
saved AS (
    UPDATE run_metadata
    SET provider = $3, provider_namespace = $4, provider_workflow_id = $5, provider_run_id = $6
    WHERE tenant_id = $1 AND run_id = $2 AND EXISTS (SELECT FROM head WHERE pruned_at IS NULL)
)
SELECT pruned_at AS "pruned_at: Moment" FROM head
