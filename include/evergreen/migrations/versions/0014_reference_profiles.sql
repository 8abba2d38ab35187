-- Per version, its training rows in counts (core/drift_profile.py): what the drift check compares new rows with. Made once, at the latest by
-- the first check of the version. The size depends on the columns, never on the rows.
CREATE TABLE reference_profiles (
    model     text NOT NULL,
    version   integer NOT NULL,
    body      jsonb NOT NULL,
    made_time timestamptz NOT NULL,
    PRIMARY KEY (model, version)
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_rw') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON reference_profiles TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT SELECT ON reference_profiles TO app_ro;
    END IF;
END $$;
