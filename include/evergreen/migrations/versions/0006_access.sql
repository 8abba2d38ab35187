-- People and applications that may ask serving for tokens. A disabled one stays, so that its name is not given to somebody else by mistake.
CREATE TABLE accounts (
    subject     text PRIMARY KEY CHECK (length(subject) BETWEEN 1 AND 256),
    kind        text NOT NULL CHECK (kind IN ('person', 'client')),
    roles       text[] NOT NULL CHECK (cardinality(roles) > 0 AND roles <@ ARRAY['user', 'viewer', 'analyst', 'operator', 'service']),
    secret_hash text NOT NULL CHECK (secret_hash LIKE '$argon2id$%'),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    disabled_at timestamptz
);

-- Wall time. A row may go once every token it speaks of has expired.
CREATE TABLE revocations (
    what       text NOT NULL CHECK (what IN ('token', 'subject')),
    id         text NOT NULL CHECK (length(id) BETWEEN 1 AND 256),
    revoked_at timestamptz NOT NULL,
    until      timestamptz NOT NULL,
    who        text NOT NULL,
    PRIMARY KEY (what, id)
);
CREATE INDEX revocations_by_end ON revocations (until);

-- Another value after each change of the list: a worker asks for this every half second and reads the list only when it has changed.
CREATE TABLE revocations_version (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version uuid NOT NULL
);
CREATE FUNCTION revocations_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO revocations_version (version) VALUES (gen_random_uuid()) ON CONFLICT (one) DO UPDATE SET version = excluded.version;
    RETURN NULL;
END $$;
CREATE TRIGGER revocations_changed AFTER INSERT OR UPDATE OR DELETE ON revocations FOR EACH STATEMENT EXECUTE FUNCTION revocations_changed();

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_rw') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON accounts, revocations, revocations_version TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT SELECT (subject, kind, roles, created_at, disabled_at) ON accounts TO app_ro; -- not the hashes
        GRANT SELECT ON revocations, revocations_version TO app_ro;
    END IF;
END $$;
