-- Times named *_at without a note are wall time; `time`, `notified_time`, `until` … are platform time.

ALTER TABLE alerts
    ADD COLUMN seq           bigint GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN event_type    text NOT NULL DEFAULT '',
    ADD COLUMN reason        text NOT NULL DEFAULT '',
    ADD COLUMN title_ko      text NOT NULL DEFAULT '',
    ADD COLUMN message_ko    text NOT NULL DEFAULT '',
    ADD COLUMN drift_score   double precision,
    ADD COLUMN model_version text,
    ADD COLUMN resolves      boolean NOT NULL DEFAULT false,
    ADD COLUMN outcome       text CHECK (outcome IN ('notified', 'held', 'silenced', 'digest', 'digested', 'resolved', 'nothing_open'));
COMMENT ON COLUMN alerts.outcome IS 'what the notifier did; null: it has not come to it';
-- What was recorded before there was a notifier is not sent now.
UPDATE alerts SET outcome = 'held';
CREATE INDEX alerts_unsettled ON alerts (seq) WHERE outcome IS NULL;
CREATE INDEX alerts_for_digest ON alerts (seq) WHERE outcome = 'digest';
CREATE INDEX alerts_by_recording ON alerts (recorded_at DESC, seq DESC);

-- One message to one channel. Made in the transaction that settles its alerts; sent after it, at least once, always with this id.
CREATE TABLE notices (
    id            uuid PRIMARY KEY,
    seq           bigint GENERATED ALWAYS AS IDENTITY,
    channel       text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('firing', 'resolved', 'digest', 'test')),
    grouping      text NOT NULL,
    severity      text NOT NULL,
    model         text NOT NULL,
    event_type    text NOT NULL,
    time          timestamptz NOT NULL,
    title_en      text NOT NULL,
    title_ko      text NOT NULL,
    message_en    text NOT NULL,
    message_ko    text NOT NULL,
    alert_ids     text[] NOT NULL DEFAULT '{}',
    status        text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'sent', 'failed')),
    attempts      integer NOT NULL DEFAULT 0,
    retry_at      timestamptz,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at   timestamptz,
    error         text
);
COMMENT ON COLUMN notices.retry_at IS 'pending: not before then; while somebody sends it: when it is free again';
CREATE INDEX notices_pending ON notices (channel, seq) WHERE status = 'pending';
CREATE INDEX notices_by_time ON notices (created_at DESC, seq DESC);

CREATE TABLE alert_groups (
    grouping      text PRIMARY KEY,
    model         text NOT NULL,
    event_type    text NOT NULL,
    severity      text NOT NULL,
    peak          text NOT NULL,
    notified_time timestamptz NOT NULL,
    held          integer NOT NULL DEFAULT 0,
    open          boolean NOT NULL DEFAULT true
);

CREATE TABLE silences (
    id           uuid PRIMARY KEY,
    model        text,
    event_type   text,
    up_to        text NOT NULL CHECK (up_to IN ('low', 'medium', 'high', 'critical')),
    until        timestamptz NOT NULL,
    who          text NOT NULL,
    reason       text NOT NULL,
    created_time timestamptz NOT NULL,
    ended_time   timestamptz
);

CREATE FUNCTION notify_alerts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('alerts', '');
    RETURN NULL;
END $$;
CREATE TRIGGER alerts_notify AFTER INSERT ON alerts FOR EACH STATEMENT EXECUTE FUNCTION notify_alerts();

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_rw') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON alerts, notices, alert_groups, silences TO app_rw;
        GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT SELECT ON alerts, notices, alert_groups, silences TO app_ro;
    END IF;
END $$;
