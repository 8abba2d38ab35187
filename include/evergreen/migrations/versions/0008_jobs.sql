-- Large batches of predictions. Files lie under <home>/data/jobs/<id>/. Wall time: a job is no matter of the platform clock.
CREATE TABLE jobs (
    id              uuid PRIMARY KEY,
    subject         text NOT NULL,
    model           text NOT NULL,
    version         integer,
    input_format    text NOT NULL CHECK (input_format IN ('jsonl', 'csv', 'parquet')),
    output_format   text NOT NULL CHECK (output_format IN ('jsonl', 'csv', 'parquet')),
    kind            text CHECK (kind IN ('score', 'rows')),
    source          jsonb NOT NULL,
    content_hash    text NOT NULL,
    idempotency_key text,
    state           text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired')),
    rows_done       bigint NOT NULL DEFAULT 0,
    rows_total      bigint,
    errors          jsonb NOT NULL DEFAULT '{}',
    error           text,
    -- Grows with each claim: what an older one says counts for nothing.
    token           bigint NOT NULL DEFAULT 0,
    attempts        integer NOT NULL DEFAULT 0,
    runner          text,
    lease_until     timestamptz,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at      timestamptz,
    finished_at     timestamptz,
    result_bytes    bigint,
    CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CHECK (state <> 'running' OR version IS NOT NULL)
);
CREATE UNIQUE INDEX jobs_by_key ON jobs (subject, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX jobs_open ON jobs (created_at, id) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_by_subject ON jobs (subject, created_at DESC, id DESC);
CREATE INDEX jobs_by_time ON jobs (created_at DESC, id DESC);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_rw') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON jobs TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT SELECT ON jobs TO app_ro;
    END IF;
END $$;
