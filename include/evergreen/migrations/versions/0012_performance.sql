-- Estimates, one per version and newest day. A table of their own: nothing that decides reads them.
CREATE TABLE performance_estimates (
    id        uuid PRIMARY KEY,
    model     text NOT NULL,
    version   integer NOT NULL,
    first_day date NOT NULL,
    last_day  date NOT NULL,
    n         integer NOT NULL,
    coverage  double precision NOT NULL,
    estimated double precision NOT NULL,
    low       double precision NOT NULL,
    high      double precision NOT NULL,
    baseline  double precision NOT NULL,
    action_id uuid,
    time      timestamptz NOT NULL,
    UNIQUE (model, version, last_day)
);

-- What a retrain was worth: one row per version, written when nothing about it can change any more. Everything else about it is elsewhere.
CREATE TABLE ledger (
    model         text NOT NULL,
    version       integer NOT NULL,
    rows          integer NOT NULL,
    realised      double precision,
    realised_low  double precision,
    realised_high double precision,
    avoided       double precision,
    closed        timestamptz NOT NULL,
    PRIMARY KEY (model, version)
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_rw') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON performance_estimates, ledger TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT SELECT ON performance_estimates, ledger TO app_ro;
    END IF;
END $$;
