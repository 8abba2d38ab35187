-- A deployment may answer a share of the entities between "prepared" and "flipped". `canary_from` is wall time.
ALTER TABLE deployments
    DROP CONSTRAINT deployments_status_check,
    ADD CONSTRAINT deployments_status_check CHECK (status IN ('preparing', 'canary', 'flipped', 'confirmed', 'cancelled', 'reverted')),
    ADD COLUMN canary_share double precision,
    ADD COLUMN canary_from timestamptz,
    ADD COLUMN canary_verdict text;
DROP INDEX deployments_one_open;
CREATE UNIQUE INDEX deployments_one_open ON deployments (model) WHERE status IN ('preparing', 'canary', 'flipped');

-- What each serving worker has counted of a canary's answers since it began; it stays when the worker dies.
CREATE TABLE canary_tallies (
    deployment_id uuid NOT NULL REFERENCES deployments ON DELETE CASCADE,
    worker_id     text NOT NULL,
    asked         bigint NOT NULL,
    failed        bigint NOT NULL,
    late          bigint NOT NULL,
    PRIMARY KEY (deployment_id, worker_id)
);

-- A stable version that was promoted again was never marked, and shadowed without end.
UPDATE deployments d SET stable_from = d.served_from FROM model_versions v
WHERE v.model = d.model AND v.version = d.version AND v.stable AND d.stable_from IS NULL AND d.served_from IS NOT NULL AND d.served_to IS NULL;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_rw') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON canary_tallies TO app_rw;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_ro') THEN
        GRANT SELECT ON canary_tallies TO app_ro;
    END IF;
END $$;
