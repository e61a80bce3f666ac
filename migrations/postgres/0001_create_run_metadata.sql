-- What a run is a run of. Fixed when the run is bootstrapped, but for the provider's reference; never deleted.
-- Identifiers are compared as bytes: COLLATE "C" on every key column.
CREATE TABLE run_metadata (
    tenant_id             text COLLATE "C" NOT NULL,
    run_id                text COLLATE "C" NOT NULL,
    project_id            text COLLATE "C" NOT NULL,
    environment_id        text COLLATE "C" NOT NULL,
    plan_id               text COLLATE "C" NOT NULL,
    plan_version          text COLLATE "C" NOT NULL,
    provider              text COLLATE "C",
    provider_namespace    text COLLATE "C",
    provider_workflow_id  text COLLATE "C",
    provider_run_id       text COLLATE "C",
    created_at            timestamptz NOT NULL,

    CONSTRAINT run_metadata_pkey PRIMARY KEY (tenant_id, run_id),
    CONSTRAINT run_metadata_names CHECK (
        octet_length(tenant_id) BETWEEN 1 AND 255
        AND octet_length(run_id) BETWEEN 1 AND 255
        AND octet_length(project_id) BETWEEN 1 AND 255
        AND octet_length(environment_id) BETWEEN 1 AND 255
        AND octet_length(plan_id) BETWEEN 1 AND 255
        AND octet_length(plan_version) BETWEEN 1 AND 255
    ),
    CONSTRAINT run_metadata_provider CHECK (
        (provider IS NULL) = (provider_workflow_id IS NULL)
        AND (provider IS NOT NULL OR (provider_namespace IS NULL AND provider_run_id IS NULL))
    ),
    CONSTRAINT run_metadata_created_at CHECK (
        created_at >= '1970-01-01 00:00:00+00' AND created_at < '10000-01-01 00:00:00+00'
    )
);
