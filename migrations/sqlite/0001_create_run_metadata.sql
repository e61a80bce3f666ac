-- What a run is a run of. Fixed when the run is bootstrapped, but for the provider's reference; never deleted.
-- Texts are compared as bytes, moments are microseconds since 1970.
CREATE TABLE run_metadata (
    tenant_id             TEXT NOT NULL,
    run_id                TEXT NOT NULL,
    project_id            TEXT NOT NULL,
    environment_id        TEXT NOT NULL,
    plan_id               TEXT NOT NULL,
    plan_version          TEXT NOT NULL,
    provider              TEXT,
    provider_namespace    TEXT,
    provider_workflow_id  TEXT,
    provider_run_id       TEXT,
    created_at            INTEGER NOT NULL,

    CONSTRAINT run_metadata_pkey PRIMARY KEY (tenant_id, run_id),
    CONSTRAINT run_metadata_names CHECK (
        length(CAST(tenant_id AS BLOB)) BETWEEN 1 AND 255
        AND length(CAST(run_id AS BLOB)) BETWEEN 1 AND 255
        AND length(CAST(project_id AS BLOB)) BETWEEN 1 AND 255
        AND length(CAST(environment_id AS BLOB)) BETWEEN 1 AND 255
        AND length(CAST(plan_id AS BLOB)) BETWEEN 1 AND 255
        AND length(CAST(plan_version AS BLOB)) BETWEEN 1 AND 255
    ),
    CONSTRAINT run_metadata_provider CHECK (
        (provider IS NULL) = (provider_workflow_id IS NULL)
        AND (provider IS NOT NULL OR (provider_namespace IS NULL AND provider_run_id IS NULL))
    ),
    CONSTRAINT run_metadata_created_at CHECK (created_at BETWEEN 0 AND 253402300799999999)
) STRICT, WITHOUT ROWID;
