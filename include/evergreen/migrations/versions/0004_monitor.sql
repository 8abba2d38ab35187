-- One row per watched thing: a restart of the monitor neither repeats nor forgets what it said.
CREATE TABLE watches (
    name     text PRIMARY KEY,
    firing   boolean NOT NULL,
    severity text NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')),
    said     bigint NOT NULL,
    said_at  timestamptz NOT NULL,
    alerted  boolean NOT NULL DEFAULT false
);
COMMENT ON COLUMN watches.said IS 'how often something was said about it; ids of its events are made of name and this number';
CREATE INDEX watches_firing ON watches (name) WHERE firing;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_rw') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON watches TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT SELECT ON watches TO app_ro;
    END IF;
END $$;
