-- A domain holds its column to its bounds where a value enters it. The server reads a CHECK of a table anew from its text for each
-- statement that writes the table, so tables keep those that compare columns (docs/adr/0029).

-- Compared as bytes, like every key column.
CREATE DOMAIN identifier AS text COLLATE "C"
    CONSTRAINT identifier_length CHECK (octet_length(VALUE) BETWEEN 1 AND 255);
CREATE DOMAIN moment AS timestamptz
    CONSTRAINT moment_range CHECK (VALUE >= '1970-01-01 00:00:00+00' AND VALUE < '10000-01-01 00:00:00+00');

-- What a run is a run of. Fixed when the run is bootstrapped, but for the provider's reference; never deleted.
CREATE TABLE run_metadata (
    tenant_id             identifier NOT NULL,
    run_id                identifier NOT NULL,
    project_id            identifier NOT NULL,
    environment_id        identifier NOT NULL,
    plan_id               identifier NOT NULL,
    plan_version          identifier NOT NULL,
    provider              text COLLATE "C",
    provider_namespace    text COLLATE "C",
    provider_workflow_id  text COLLATE "C",
    provider_run_id       text COLLATE "C",
    created_at            moment NOT NULL,

    CONSTRAINT run_metadata_pkey PRIMARY KEY (tenant_id, run_id),
    CONSTRAINT run_metadata_provider CHECK (
        (provider IS NULL) = (provider_workflow_id IS NULL)
        AND (provider IS NOT NULL OR (provider_namespace IS NULL AND provider_run_id IS NULL))
    )
);
