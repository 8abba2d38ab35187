-- Times named *_at without a note are wall time; `time`, `due_at`, `as_of`, `decided_at`, `served_from` … are platform time.

CREATE TABLE platform_clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    mode     text NOT NULL CHECK (mode IN ('wall', 'replay')),
    base     timestamptz NOT NULL,
    set_at   timestamptz NOT NULL,
    rate     double precision NOT NULL DEFAULT 1 CHECK (rate >= 0),
    epoch    bigint NOT NULL DEFAULT 1
);
INSERT INTO platform_clock (mode, base, set_at) VALUES ('wall', now(), now());

-- Control events. (source, id) makes handling idempotent; topic/partition/offset are for audit: a re-created broker starts anew.
CREATE TABLE events (
    seq             bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    source          text NOT NULL,
    id              text NOT NULL,
    type            text NOT NULL,
    subject         text NOT NULL,
    time            timestamptz NOT NULL,
    data            jsonb NOT NULL,
    extensions      jsonb NOT NULL DEFAULT '{}',
    content_hash    text NOT NULL,
    topic           text,
    kafka_partition integer,
    kafka_offset    bigint,
    produced_at     timestamptz,
    received_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source, id)
);
CREATE INDEX events_by_type ON events (type, time DESC);

CREATE TABLE policies (
    hash         text PRIMARY KEY,
    body         jsonb NOT NULL,
    activated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Per model a hash chain: hash = sha256(prev_hash || body). `body` is the canonical JSON of the decision, compared byte for byte on replay.
CREATE TABLE decisions (
    model        text NOT NULL,
    seq          bigint NOT NULL,
    event_source text NOT NULL,
    event_id     text NOT NULL,
    event_type   text NOT NULL,
    policy_hash  text NOT NULL,
    decided_at   timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    severity     text NOT NULL,
    rule         text NOT NULL,
    outcome      text NOT NULL,
    body         text NOT NULL,
    prev_hash    text NOT NULL,
    hash         text NOT NULL,
    PRIMARY KEY (model, seq),
    UNIQUE (event_source, event_id, model),
    FOREIGN KEY (event_source, event_id) REFERENCES events (source, id)
);
CREATE INDEX decisions_by_time ON decisions (decided_at DESC);

-- The work list. A run claims one row: lease on wall time, fencing token + 1 at each claim.
CREATE TABLE actions (
    id           uuid PRIMARY KEY,
    action_key   text NOT NULL UNIQUE,
    kind         text NOT NULL,
    model        text NOT NULL,
    target       text NOT NULL,
    params       jsonb NOT NULL DEFAULT '{}',
    reason       text NOT NULL,
    severity     text NOT NULL,
    priority     text NOT NULL CHECK (priority IN ('normal', 'high')),
    due_at       timestamptz NOT NULL,
    as_of        timestamptz NOT NULL,
    causes       jsonb NOT NULL DEFAULT '[]',
    traceparent  text NOT NULL DEFAULT '',
    event_type   text NOT NULL,
    decision_seq bigint,
    accepted_at  timestamptz NOT NULL,
    status       text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'claimed', 'running', 'succeeded', 'failed', 'cancelled')),
    attempts     integer NOT NULL DEFAULT 0,
    token        bigint NOT NULL DEFAULT 0,
    run_id       text,
    lease_until  timestamptz,
    retry_at     timestamptz,
    rung_at      timestamptz,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_at   timestamptz,
    started_at   timestamptz,
    finished_at  timestamptz,
    result       jsonb,
    error        text
);
COMMENT ON COLUMN actions.accepted_at IS 'platform time; cooldowns start here (a scheduled action''s when it becomes due)';
CREATE INDEX actions_open ON actions (kind, due_at) WHERE status IN ('pending', 'claimed', 'running');
CREATE INDEX actions_history ON actions (model, event_type, kind, accepted_at DESC);
CREATE INDEX actions_by_run ON actions (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE outbox (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic      text NOT NULL,
    key        bytea,
    value      bytea,
    headers    jsonb NOT NULL DEFAULT '{}',
    event_id   text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at    timestamptz
);
CREATE INDEX outbox_unsent ON outbox (seq) WHERE sent_at IS NULL;
-- An event leaves once however often its step is repeated; doorbells and dead letters have no event_id.
CREATE UNIQUE INDEX outbox_event ON outbox (event_id) WHERE event_id IS NOT NULL;

-- Last due time each timer fired for; the tick's memory.
CREATE TABLE timers (
    timer    text NOT NULL,
    model    text NOT NULL,
    last_due timestamptz NOT NULL,
    PRIMARY KEY (timer, model)
);

CREATE TABLE alerts (
    id          uuid PRIMARY KEY,
    grouping    text NOT NULL,
    severity    text NOT NULL,
    title       text NOT NULL,
    message     text NOT NULL,
    model       text NOT NULL,
    event_source text,
    event_id    text,
    time        timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX alerts_by_time ON alerts (time DESC);

-- Dead letters that went back to their topic; the letters themselves stay in Kafka, unchanged.
CREATE TABLE redriven (
    letter_id text PRIMARY KEY,
    topic     text NOT NULL,
    changed   boolean NOT NULL,
    times     integer NOT NULL DEFAULT 1,
    at        timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE batches (
    dataset     text NOT NULL,
    batch_id    text NOT NULL,
    sha256      text NOT NULL,
    first_day   date NOT NULL,
    last_day    date NOT NULL,
    rows        integer NOT NULL,
    quarantined integer NOT NULL,
    issues      jsonb NOT NULL DEFAULT '[]',
    bronze_path text NOT NULL,
    status      text NOT NULL DEFAULT 'accepted' CHECK (status IN ('accepted', 'rejected')),
    incident    boolean NOT NULL DEFAULT false,
    ingested_time timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (dataset, batch_id)
);

CREATE TABLE model_versions (
    model        text NOT NULL,
    version      integer NOT NULL,
    action_id    uuid UNIQUE,
    run_id       text NOT NULL,
    uri          text NOT NULL,
    cause        text NOT NULL,
    trained_from date NOT NULL,
    trained_to   date NOT NULL,
    trained_rows integer NOT NULL,
    as_of        timestamptz NOT NULL,
    status       text NOT NULL DEFAULT 'candidate' CHECK (status IN ('candidate', 'approved', 'refused')),
    stable       boolean NOT NULL DEFAULT false,
    quarantined  text,
    metrics      jsonb NOT NULL DEFAULT '{}',
    scorecard    jsonb,
    cost_seconds double precision NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (model, version)
);

-- The truth about who serves. Changed by compare-and-set on epoch only; MLflow's aliases are its projection.
CREATE TABLE champions (
    model         text PRIMARY KEY,
    version       integer NOT NULL,
    epoch         bigint NOT NULL,
    deployment_id uuid NOT NULL,
    since         timestamptz NOT NULL
);

CREATE TABLE deployments (
    id               uuid PRIMARY KEY,
    model            text NOT NULL,
    version          integer NOT NULL,
    previous_version integer,
    kind             text NOT NULL CHECK (kind IN ('promote', 'rollback', 'revert')),
    status           text NOT NULL CHECK (status IN ('preparing', 'flipped', 'confirmed', 'cancelled', 'reverted')),
    epoch            bigint,
    action_id        uuid,
    forced           boolean NOT NULL DEFAULT false,
    reason           text NOT NULL,
    required_workers jsonb NOT NULL DEFAULT '[]',
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    flipped_at       timestamptz,
    confirmed_at     timestamptz,
    served_from      timestamptz,
    served_to        timestamptz,
    stable_from      timestamptz,
    error            text
);
CREATE INDEX deployments_by_model ON deployments (model, created_at DESC);
CREATE UNIQUE INDEX deployments_one_open ON deployments (model) WHERE status IN ('preparing', 'flipped');

CREATE TABLE serving_workers (
    worker_id    text PRIMARY KEY,
    pid          integer NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    state        text NOT NULL DEFAULT 'starting' CHECK (state IN ('starting', 'ready', 'draining')),
    serving      jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON COLUMN serving_workers.serving IS '{model: {"version": n, "epoch": n}} as this worker answers now';

CREATE TABLE worker_acks (
    worker_id     text NOT NULL REFERENCES serving_workers ON DELETE CASCADE,
    deployment_id uuid NOT NULL REFERENCES deployments ON DELETE CASCADE,
    phase         text NOT NULL CHECK (phase IN ('prepared', 'serving', 'refused')),
    detail        text NOT NULL DEFAULT '',
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (worker_id, deployment_id, phase)
);

-- One row per checked window: both checks look a window over once (unique), whoever runs them.
CREATE TABLE drift_reports (
    id         uuid PRIMARY KEY,
    model      text NOT NULL,
    version    integer NOT NULL,
    first_day  date NOT NULL,
    last_day   date NOT NULL,
    n          integer NOT NULL,
    score      double precision NOT NULL,
    drifted    boolean NOT NULL,
    features   jsonb NOT NULL,
    action_id  uuid,
    time       timestamptz NOT NULL,
    report_url text,
    UNIQUE (model, version, first_day, last_day)
);

CREATE TABLE performance_reports (
    id         uuid PRIMARY KEY,
    model      text NOT NULL,
    version    integer NOT NULL,
    first_day  date NOT NULL,
    last_day   date NOT NULL,
    n          integer NOT NULL,
    coverage   double precision NOT NULL,
    current    double precision NOT NULL,
    baseline   double precision NOT NULL,
    drop_low   double precision NOT NULL,
    drop_high  double precision NOT NULL,
    degraded   boolean NOT NULL,
    detail     jsonb NOT NULL DEFAULT '{}',
    action_id  uuid,
    time       timestamptz NOT NULL,
    UNIQUE (model, version, first_day, last_day, n)
);

-- The first drifted window of a champion that led to a retrain; training starts here once enough rows came after it.
CREATE TABLE change_points (
    model            text NOT NULL,
    champion_version integer NOT NULL,
    day              date NOT NULL,
    action_id        uuid NOT NULL,
    time             timestamptz NOT NULL,
    PRIMARY KEY (model, champion_version)
);

CREATE TABLE videos (
    video_id      text PRIMARY KEY,
    title         text NOT NULL,
    description   text,
    channel_id    text,
    channel_title text,
    category_id   integer,
    duration      double precision,
    published_at  timestamptz,
    tags          text[] NOT NULL DEFAULT '{}',
    view_count    bigint,
    like_count    bigint,
    comment_count bigint,
    region        text NOT NULL,
    first_seen    date NOT NULL,
    last_seen     date NOT NULL
);

-- Truth of the online feature store; Redis holds a copy.
CREATE TABLE online_features (
    model    text NOT NULL,
    entity   text NOT NULL,
    features jsonb NOT NULL,
    as_of    timestamptz NOT NULL,
    PRIMARY KEY (model, entity)
);

CREATE TABLE indexed_batches (
    dataset    text NOT NULL,
    batch_id   text NOT NULL,
    sha256     text NOT NULL DEFAULT '',
    indexed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (dataset, batch_id)
);

-- High-volume records in day partitions of platform time: retention drops a partition instead of deleting rows.
CREATE TABLE predictions (
    source           text NOT NULL,
    id               text NOT NULL,
    time             timestamptz NOT NULL,
    prediction_id    text NOT NULL,
    model            text NOT NULL,
    version          integer NOT NULL,
    entity           text,
    features         jsonb NOT NULL,
    predicted        double precision NOT NULL,
    lower            double precision,
    upper            double precision,
    answer           jsonb NOT NULL DEFAULT '{}',
    latency_seconds  double precision NOT NULL,
    cached           boolean NOT NULL,
    shadow_version   integer,
    shadow_predicted double precision,
    PRIMARY KEY (source, id, time)
) PARTITION BY RANGE (time);
CREATE INDEX predictions_by_entity ON predictions (model, entity, time DESC);
CREATE INDEX predictions_by_version ON predictions (model, version, time DESC);

CREATE TABLE feedback (
    source        text NOT NULL,
    id            text NOT NULL,
    time          timestamptz NOT NULL,
    model         text NOT NULL,
    entity        text NOT NULL,
    prediction_id text,
    outcome       jsonb NOT NULL,
    label         double precision,
    PRIMARY KEY (source, id, time)
) PARTITION BY RANGE (time);
CREATE INDEX feedback_by_entity ON feedback (model, entity, time DESC);

CREATE TABLE metrics (
    source  text NOT NULL,
    id      text NOT NULL,
    time    timestamptz NOT NULL,
    service text NOT NULL,
    metrics jsonb NOT NULL,
    PRIMARY KEY (source, id, time)
) PARTITION BY RANGE (time);

-- The application role may not create tables; this makes (only) a day's partition of one of the three.
CREATE FUNCTION ensure_partition(parent text, day date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    IF parent NOT IN ('predictions', 'feedback', 'metrics') THEN
        RAISE EXCEPTION 'no partitioned table %', parent;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('partition:' || parent || day::text));
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
        parent || '_' || to_char(day, 'YYYYMMDD'), parent, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
END $$;

-- Retention: the application role may drop (only) whole days of the three that ended before `before`. Returns the names of the dropped partitions.
CREATE FUNCTION drop_partitions(parent text, before date) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    found text;
BEGIN
    IF parent NOT IN ('predictions', 'feedback', 'metrics') THEN
        RAISE EXCEPTION 'no partitioned table %', parent;
    END IF;
    FOR found IN
        SELECT child.relname FROM pg_inherits i JOIN pg_class child ON child.oid = i.inhrelid
        WHERE i.inhparent = parent::regclass AND child.relname ~ ('^' || parent || '_[0-9]{8}$')
          AND to_date(right(child.relname, 8), 'YYYYMMDD') < before
        ORDER BY child.relname
    LOOP
        EXECUTE format('DROP TABLE %I', found);
        RETURN NEXT found;
    END LOOP;
END $$;

-- Workers hear of a deployment or a flip at once; polling is their net.
CREATE FUNCTION notify_champion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('champion', NEW.model);
    RETURN NEW;
END $$;
-- A replay jumps by days: what serving stamps on its log must not lag behind by its polling.
CREATE FUNCTION notify_clock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('champion', 'clock');
    RETURN NULL;
END $$;
CREATE TRIGGER platform_clock_notify AFTER UPDATE OF mode, base, set_at, rate ON platform_clock FOR EACH ROW EXECUTE FUNCTION notify_clock();
CREATE TRIGGER champions_notify AFTER INSERT OR UPDATE ON champions FOR EACH ROW EXECUTE FUNCTION notify_champion();
CREATE TRIGGER deployments_notify AFTER INSERT OR UPDATE ON deployments FOR EACH ROW EXECUTE FUNCTION notify_champion();

CREATE FUNCTION notify_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('outbox', '');
    RETURN NULL;
END $$;
CREATE TRIGGER outbox_notify AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION notify_outbox();

-- They run with their owner's rights: nobody may call them who was not given them below.
REVOKE EXECUTE ON FUNCTION ensure_partition, drop_partitions FROM PUBLIC;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_rw') THEN
        GRANT USAGE ON SCHEMA public TO app_rw;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app_rw;
        GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO app_rw;
        GRANT EXECUTE ON FUNCTION ensure_partition TO app_rw;
        GRANT EXECUTE ON FUNCTION drop_partitions TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT USAGE ON SCHEMA public TO app_ro;
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO app_ro;
    END IF;
END $$;
