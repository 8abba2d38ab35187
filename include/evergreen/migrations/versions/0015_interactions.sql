-- What users did, one row an event: the truth behind every profile in Redis. In day partitions of platform time, as predictions are.
-- topic_id, kafka_partition and kafka_offset are where it lay when it was first recorded: a repeat of the event elsewhere is told by them.
CREATE TABLE interactions (
    source          text NOT NULL,
    id              text NOT NULL,
    time            timestamptz NOT NULL,
    user_id         text NOT NULL,
    kind            text NOT NULL,
    item_ids        text[] NOT NULL,
    rating          double precision,
    note            text,
    context         jsonb NOT NULL,
    genres          jsonb NOT NULL, -- of each item, as the model knew them then: a profile made anew counts what the first one counted
    stream          text NOT NULL,
    topic_id        text NOT NULL,
    kafka_partition integer NOT NULL,
    kafka_offset    bigint NOT NULL,
    PRIMARY KEY (source, id, time)
) PARTITION BY RANGE (time);
CREATE INDEX interactions_by_user ON interactions (user_id, time DESC);

-- Whom to know nothing of, by the SHA-256 of the id: what they did until then is not recorded when it comes again, nor trained on.
CREATE TABLE forgotten_users (
    user_hash      text PRIMARY KEY,
    forgotten_time timestamptz NOT NULL
);

CREATE OR REPLACE FUNCTION ensure_partition(parent text, day date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    IF parent NOT IN ('predictions', 'feedback', 'metrics', 'interactions') THEN
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
    IF parent NOT IN ('predictions', 'feedback', 'metrics', 'interactions') THEN
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
        GRANT SELECT, INSERT, UPDATE, DELETE ON interactions, forgotten_users TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT SELECT ON interactions, forgotten_users TO app_ro;
    END IF;
END $$;
