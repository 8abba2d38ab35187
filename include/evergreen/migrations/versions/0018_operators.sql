ALTER TABLE silences ADD COLUMN ended_by text;

-- Requests of operators that carry an idempotency key. Wall time.
CREATE TABLE keyed_requests (
    id       uuid PRIMARY KEY,
    content  text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    answer   jsonb
);
COMMENT ON COLUMN keyed_requests.id IS 'made of the operation, who asks, and the key';
COMMENT ON COLUMN keyed_requests.content IS 'SHA-256 of what was asked';
COMMENT ON COLUMN keyed_requests.answer IS 'null: it is at work, or its worker died; never a secret';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_rw') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON keyed_requests TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT SELECT ON keyed_requests TO app_ro;
    END IF;
END $$;
