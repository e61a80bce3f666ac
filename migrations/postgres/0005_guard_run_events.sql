-- The log is append-only, whoever asks: no UPDATE, no TRUNCATE, and DELETE only of runs that are pruned.
-- SQLSTATE DVT01 belongs to this rule alone.
CREATE FUNCTION guard_run_events() RETURNS trigger
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'DVT01',
        MESSAGE = format('%s of run_events is refused: the log is append-only', TG_OP),
        HINT = 'Prune whole runs that have ended and are delivered.';
END
$$;

CREATE FUNCTION guard_run_events_delete() RETURNS trigger
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
DECLARE
    kept record;
BEGIN
    SELECT removed.tenant_id, removed.run_id INTO kept
    FROM (SELECT DISTINCT gone.tenant_id, gone.run_id FROM gone) AS removed
    WHERE NOT EXISTS (
        SELECT FROM outbox AS o
        WHERE o.tenant_id = removed.tenant_id AND o.run_id = removed.run_id AND o.pruned_at IS NOT NULL
    )
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'DVT01',
            MESSAGE = format('DELETE of run_events of run %s/%s is refused: it is not pruned', kept.tenant_id, kept.run_id),
            HINT = 'Prune whole runs that have ended and are delivered.';
    END IF;
    RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION guard_run_events(), guard_run_events_delete() FROM PUBLIC;

CREATE TRIGGER run_events_append_only
    BEFORE UPDATE OR TRUNCATE ON run_events
    FOR EACH STATEMENT EXECUTE FUNCTION guard_run_events();

CREATE TRIGGER run_events_delete_pruned
    AFTER DELETE ON run_events
    REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION guard_run_events_delete();
