-- Whether a person let an action be carried out. One row per claim that asked: the answer of a claim that lost its action counts for nothing.
-- Wall time: an approval's time-out is no matter of the platform clock.
CREATE TABLE approvals (
    action_id   uuid NOT NULL REFERENCES actions ON DELETE CASCADE,
    token       bigint NOT NULL,
    run_id      text NOT NULL,
    subject     text NOT NULL,
    asked_at    timestamptz NOT NULL,
    until       timestamptz NOT NULL,
    by_default  text NOT NULL CHECK (by_default IN ('approve', 'reject')),
    answer      text CHECK (answer IN ('approve', 'reject')),
    how         text CHECK (how IN ('person', 'default', 'auto')),
    who         text NOT NULL DEFAULT '',
    comment     text NOT NULL DEFAULT '',
    answered_at timestamptz,
    PRIMARY KEY (action_id, token),
    CHECK ((answer IS NULL) = (how IS NULL) AND (answer IS NULL) = (answered_at IS NULL))
);
CREATE INDEX approvals_open ON approvals (run_id) WHERE answered_at IS NULL;

-- Pages, newest first.
DROP INDEX events_by_type;
CREATE INDEX events_by_type ON events (type, time DESC, seq DESC);
CREATE INDEX events_by_time ON events (time DESC, seq DESC);
CREATE INDEX events_by_subject ON events (subject, time DESC, seq DESC);
CREATE INDEX decisions_by_record ON decisions (recorded_at DESC, model DESC, seq DESC);
CREATE INDEX actions_by_time ON actions (accepted_at DESC, id DESC);
-- From an id alone: what an event is, what it led to, what an action made.
CREATE INDEX events_by_id ON events (id);
CREATE INDEX actions_by_cause ON actions USING gin (causes jsonb_path_ops);
CREATE INDEX deployments_by_action ON deployments (action_id);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_rw') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON approvals TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT SELECT ON approvals TO app_ro;
    END IF;
END $$;
