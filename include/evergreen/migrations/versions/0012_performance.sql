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

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_rw') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON performance_estimates TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT SELECT ON performance_estimates TO app_ro;
    END IF;
END $$;
