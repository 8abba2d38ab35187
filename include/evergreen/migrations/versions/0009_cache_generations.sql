-- What makes everything old that serving's workers keep of a kind: `features` (raised by the indexer after a batch), `predictions:MODEL`
-- (raised by an operator). A worker that sees another number than before drops what it has. Wall time.
CREATE TABLE cache_generations (
    kind       text PRIMARY KEY,
    generation bigint NOT NULL DEFAULT 1,
    changed_by text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- On the channel that serving's workers listen to.
CREATE FUNCTION notify_generation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('champion', NEW.kind);
    RETURN NULL;
END $$;
CREATE TRIGGER cache_generations_notify AFTER INSERT OR UPDATE ON cache_generations FOR EACH ROW EXECUTE FUNCTION notify_generation();

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_rw') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON cache_generations TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT SELECT ON cache_generations TO app_ro;
    END IF;
END $$;
