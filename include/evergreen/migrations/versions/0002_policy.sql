-- Each turn of the kill switch; the newest one holds.
CREATE TABLE policy_pauses (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    paused      boolean NOT NULL,
    who         text NOT NULL,
    reason      text NOT NULL,
    time        timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE shadow_policies (
    hash       text PRIMARY KEY,
    body       jsonb NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    stopped_at timestamptz
);

CREATE TABLE shadow_decisions (
    seq          bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    policy_hash  text NOT NULL,
    model        text NOT NULL,
    event_source text NOT NULL,
    event_id     text NOT NULL,
    event_type   text NOT NULL,
    decided_at   timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    severity     text NOT NULL,
    rule         text NOT NULL,
    outcome      text NOT NULL,
    body         text NOT NULL,
    agrees       boolean NOT NULL,
    PRIMARY KEY (policy_hash, event_source, event_id, model)
);

-- What was put off is decided again when it comes due; until then no run may claim it, however due it is.
ALTER TABLE actions ADD COLUMN released boolean NOT NULL DEFAULT true;

-- Guards ask for the newest deployment of a model, and for failures in a row.
CREATE INDEX events_deployed ON events ((data->>'model_name'), seq DESC) WHERE type = 'model_deployed';
CREATE INDEX events_ends ON events ((data->>'model'), seq) WHERE type IN ('action_failed', 'action_completed');
CREATE INDEX actions_corrective ON actions (model, accepted_at DESC) WHERE kind IN ('retrain', 'rollback', 'scale_up', 'scale_down');

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_rw') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON policy_pauses, shadow_policies, shadow_decisions TO app_rw;
        GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT SELECT ON policy_pauses, shadow_policies, shadow_decisions TO app_ro;
    END IF;
END $$;
