ALTER TABLE redriven
    ADD COLUMN who    text NOT NULL DEFAULT '',
    ADD COLUMN reason text NOT NULL DEFAULT '';

-- What was done to accounts and tokens. Wall time.
CREATE TABLE access_changes (
    seq     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what    text NOT NULL CHECK (what IN ('added', 'disabled', 'enabled', 'secret_changed', 'token_revoked', 'tokens_revoked')),
    subject text NOT NULL,
    who     text NOT NULL,
    reason  text NOT NULL,
    at      timestamptz NOT NULL
);
COMMENT ON COLUMN access_changes.subject IS 'the account; of a single token its id';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_rw') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON access_changes TO app_rw;
        GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT SELECT ON access_changes TO app_ro;
    END IF;
END $$;
