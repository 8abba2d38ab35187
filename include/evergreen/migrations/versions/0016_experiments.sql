-- Who is shown what is computed from user and name (core/experiment.py), never stored. Platform time. A name is used once: it is the seed.
CREATE TABLE experiments (
    name           text PRIMARY KEY,
    model          text NOT NULL,
    variants       jsonb NOT NULL,
    share          double precision NOT NULL CHECK (share > 0 AND share <= 1),
    metric         text NOT NULL,
    window_seconds double precision NOT NULL,
    started_by     text NOT NULL,
    reason         text NOT NULL,
    started_time   timestamptz NOT NULL,
    until_time     timestamptz NOT NULL,
    status         text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'finished', 'stopped', 'broken')),
    ended_by       text,
    ended_time     timestamptz,
    end_reason     text,
    looked_time    timestamptz,
    found          jsonb,
    asked          boolean NOT NULL DEFAULT false
);
COMMENT ON COLUMN experiments.variants IS 'the control first';
COMMENT ON COLUMN experiments.found IS 'at the newest look of the monitor';
COMMENT ON COLUMN experiments.asked IS 'the evaluation of its versions was asked for';
CREATE UNIQUE INDEX experiments_one_running ON experiments (model) WHERE status = 'running';
CREATE INDEX experiments_newest ON experiments (started_time DESC);
-- Serving's workers hear of a start and an end at once; what is found meanwhile does not wake them.
CREATE TRIGGER experiments_notify AFTER INSERT OR UPDATE OF status ON experiments FOR EACH ROW EXECUTE FUNCTION notify_champion();

-- Lists that were shown to people, in an experiment or not. Day partitions, as `predictions`.
CREATE TABLE exposures (
    source     text NOT NULL,
    id         text NOT NULL,
    time       timestamptz NOT NULL,
    list_id    text NOT NULL,
    user_id    text NOT NULL,
    model      text NOT NULL,
    version    integer,
    items      text[] NOT NULL,
    experiment text,
    variant    text,
    PRIMARY KEY (source, id, time)
) PARTITION BY RANGE (time);
COMMENT ON COLUMN exposures.version IS 'null: the popular list, made without a model';
CREATE INDEX exposures_by_user ON exposures (user_id, time);
CREATE INDEX exposures_by_experiment ON exposures (experiment, user_id, time) WHERE experiment IS NOT NULL;

-- As before, of any table that is partitioned: a list of names here would have to be repeated whole with each new one.
CREATE OR REPLACE FUNCTION ensure_partition(parent text, day date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
                   WHERE c.relname = parent AND c.relnamespace = 'public'::regnamespace) THEN
        RAISE EXCEPTION 'no partitioned table %', parent;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('partition:' || parent || day::text));
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
        parent || '_' || to_char(day, 'YYYYMMDD'), parent, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
END $$;

CREATE OR REPLACE FUNCTION drop_partitions(parent text, before date) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    found text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
                   WHERE c.relname = parent AND c.relnamespace = 'public'::regnamespace) THEN
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

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_rw') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON experiments, exposures TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT SELECT ON experiments, exposures TO app_ro;
    END IF;
END $$;
