-- A candidate that passed every other gate answers the champion's requests in the log until `until_time`. Platform time.
CREATE TABLE shadow_trials (
    model        text NOT NULL,
    version      integer NOT NULL,
    champion     integer NOT NULL,
    started_time timestamptz NOT NULL,
    until_time   timestamptz NOT NULL,
    ended_time   timestamptz,
    found        jsonb,
    told         boolean NOT NULL DEFAULT false,
    PRIMARY KEY (model, version, champion)
);
COMMENT ON COLUMN shadow_trials.told IS 'its evaluation was asked for again';
CREATE TRIGGER shadow_trials_notify AFTER INSERT OR UPDATE ON shadow_trials FOR EACH ROW EXECUTE FUNCTION notify_champion();

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_rw') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON shadow_trials TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT SELECT ON shadow_trials TO app_ro;
    END IF;
END $$;
