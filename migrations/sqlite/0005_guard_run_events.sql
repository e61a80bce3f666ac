-- The log is append-only, whoever asks: no UPDATE, and DELETE only of runs that are pruned.
CREATE TRIGGER run_events_append_only BEFORE UPDATE ON run_events
BEGIN
    SELECT RAISE(ABORT, 'UPDATE of run_events is refused: the log is append-only');
END;

CREATE TRIGGER run_events_delete_pruned BEFORE DELETE ON run_events
WHEN NOT EXISTS (
    SELECT 1 FROM outbox AS o
    WHERE o.tenant_id = OLD.tenant_id AND o.run_id = OLD.run_id AND o.pruned_at IS NOT NULL
)
BEGIN
    SELECT RAISE(ABORT, 'DELETE of run_events is refused: the run is not pruned');
END;
