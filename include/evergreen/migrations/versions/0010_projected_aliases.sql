-- Per model: what the registry's aliases showed when we last looked, and what we were about to write. Whatever else they show, somebody
-- moved them by hand. `writing` holds null for an alias that is being removed.
CREATE TABLE projected_aliases (
    model   text PRIMARY KEY,
    shown   jsonb NOT NULL,
    writing jsonb NOT NULL DEFAULT '{}'
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_rw') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON projected_aliases TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT SELECT ON projected_aliases TO app_ro;
    END IF;
END $$;
