CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- What keywords are looked for in. Every white space is a space, one before each word; the newline between title and description is in no keyword.
ALTER TABLE videos
    ADD COLUMN first_view_count bigint,
    ADD COLUMN search_text text NOT NULL GENERATED ALWAYS AS (
        lower(' ' || translate(title, E'\n\r\t', '   ') || coalesce(E' \n ' || translate(description, E'\n\r\t', '   '), ''))
    ) STORED;
UPDATE videos SET first_view_count = view_count WHERE first_seen = last_seen;

-- Of each word its beginnings from three characters on, and its single characters and pairs. So a keyword of one or two characters is itself a
-- term, and a longer one without spaces is in a text exactly when one of the text's terms ends with it: no trigram is needed (Hangul words of two
-- syllables have none), and no row has to be looked at again. A word beyond 32 characters counts as overlapping pieces of 32: a keyword of up
-- to 16 lies within one of them (adapters/search_sql.py knows the 16), and no term outgrows an index page.
CREATE FUNCTION search_terms(searched text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 1000
RETURN ARRAY(
    SELECT left(substr(word, at + 1, 32), size)
    FROM string_to_table(searched, ' ') AS word,
         generate_series(0, greatest(length(word) - 17, 0), 16) AS at,
         generate_series(3, least(length(word) - at, 32)) AS size
    UNION ALL
    SELECT substr(word, at, size)
    FROM string_to_table(searched, ' ') AS word, generate_series(1, 2) AS size, generate_series(1, length(word) - size + 1) AS at
);

-- How many videos have each term ('': how many there are), and which channels there are: a frequent keyword's total without counting its rows.
-- In one transaction with the rows it counts, whoever writes them.
CREATE TABLE video_terms (
    term   text COLLATE "C" PRIMARY KEY,
    videos bigint NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX video_terms_by_end ON video_terms (reverse(term));
CREATE TABLE video_channels (
    title  text COLLATE "C" PRIMARY KEY,
    videos bigint NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX video_channels_by_trigram ON video_channels USING gin (title gin_trgm_ops) WITH (gin_pending_list_limit = 256);

-- Two writers would wait for each other's terms in a circle: one at a time, from before the first row it touches.
CREATE FUNCTION videos_one_writer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('evergreen.videos'));
    RETURN NULL;
END $$;

CREATE FUNCTION videos_counted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    per_term CONSTANT text := 'SELECT term, sum(change) AS videos FROM (%s) AS changed,
        LATERAL (SELECT DISTINCT unnest(''{""}'' || search_terms(search_text))) AS of_video (term) GROUP BY term';
    per_channel CONSTANT text := 'SELECT lower(channel_title) AS title, sum(change) AS videos FROM (%s) AS changed WHERE channel_title IS NOT NULL GROUP BY 1';
    -- the daily counts of a video change neither its text nor its channel: nothing of it is looked at
    one_side CONSTANT text := 'SELECT search_text, channel_title, %s AS change FROM %I AS one WHERE NOT EXISTS (SELECT FROM %I AS other
        WHERE other.video_id = one.video_id AND (other.search_text, other.channel_title) IS NOT DISTINCT FROM (one.search_text, one.channel_title))';
    changed text := CASE TG_OP
        WHEN 'INSERT' THEN 'SELECT search_text, channel_title, 1 AS change FROM added'
        WHEN 'DELETE' THEN 'SELECT search_text, channel_title, -1 AS change FROM removed'
        ELSE format(one_side, 1, 'added', 'removed') || ' UNION ALL ' || format(one_side, -1, 'removed', 'added') END;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        EXECUTE 'UPDATE video_terms AS t SET videos = t.videos + less.videos FROM (' || format(per_term, changed)
            || ' HAVING sum(change) < 0) AS less WHERE t.term = less.term';
        EXECUTE 'UPDATE video_channels AS c SET videos = c.videos + less.videos FROM (' || format(per_channel, changed)
            || ' HAVING sum(change) < 0) AS less WHERE c.title = less.title';
    END IF;
    IF TG_OP <> 'DELETE' THEN
        EXECUTE 'INSERT INTO video_terms AS t ' || format(per_term, changed)
            || ' HAVING sum(change) > 0 ON CONFLICT (term) DO UPDATE SET videos = t.videos + excluded.videos';
        EXECUTE 'INSERT INTO video_channels AS c ' || format(per_channel, changed)
            || ' HAVING sum(change) > 0 ON CONFLICT (title) DO UPDATE SET videos = c.videos + excluded.videos';
    END IF;
    RETURN NULL;
END $$;

-- From the rows alone: after a restore that left the counts out, or whenever they are doubted.
CREATE FUNCTION videos_count_again() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtext('evergreen.videos'));
    DELETE FROM video_terms;
    DELETE FROM video_channels;
    INSERT INTO video_terms SELECT term, count(*) FROM videos, LATERAL (SELECT DISTINCT unnest('{""}' || search_terms(search_text))) AS of_video (term) GROUP BY term;
    INSERT INTO video_channels SELECT lower(channel_title), count(*) FROM videos WHERE channel_title IS NOT NULL GROUP BY 1;
$$;

CREATE FUNCTION videos_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM videos_count_again();
    RETURN NULL;
END $$;

CREATE TRIGGER one_writer BEFORE INSERT OR UPDATE OR DELETE ON videos FOR EACH STATEMENT EXECUTE FUNCTION videos_one_writer();
CREATE TRIGGER counted_added AFTER INSERT ON videos REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION videos_counted();
CREATE TRIGGER counted_changed AFTER UPDATE ON videos REFERENCING OLD TABLE AS removed NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION videos_counted();
CREATE TRIGGER counted_removed AFTER DELETE ON videos REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION videos_counted();
CREATE TRIGGER counted_gone AFTER TRUNCATE ON videos FOR EACH STATEMENT EXECUTE FUNCTION videos_gone();

-- Most views first, no views known last, then by id: one ascending key, so that a page can start after any row.
CREATE INDEX videos_by_views ON videos ((-coalesce(view_count, -1)), video_id);
CREATE INDEX videos_by_channel ON videos (channel_id, (-coalesce(view_count, -1)), video_id);
CREATE INDEX videos_by_channel_title ON videos (lower(channel_title), (-coalesce(view_count, -1)), video_id);
-- Phrases and long keywords.
CREATE INDEX videos_by_trigram ON videos USING gin (search_text gin_trgm_ops) WITH (gin_pending_list_limit = 2048);
-- Everything else.
CREATE INDEX videos_by_term ON videos USING gin (search_terms(search_text)) WITH (gin_pending_list_limit = 2048);
-- Distributions are read from it alone.
CREATE INDEX videos_by_day ON videos (first_seen) INCLUDE (category_id, view_count, like_count, comment_count, first_view_count);

-- Searches read what an index has not sorted in yet row by row: sorted in soon.
ALTER TABLE videos SET (autovacuum_vacuum_insert_scale_factor = 0.01, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

SELECT videos_count_again();

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_rw') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON video_terms, video_channels TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT SELECT ON video_terms, video_channels TO app_ro;
    END IF;
END $$;
