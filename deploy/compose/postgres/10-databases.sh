#!/bin/sh
# Runs once, in an empty data folder: the roles and databases of evergreen.local_stack.postgres.
set -eu
psql -v ON_ERROR_STOP=1 -U postgres -d postgres \
  -v airflow="$AIRFLOW_DB_PASSWORD" -v mlflow="$MLFLOW_DB_PASSWORD" -v app_rw="$APP_RW_PASSWORD" -v app_ro="$APP_RO_PASSWORD" <<'SQL'
CREATE ROLE airflow LOGIN PASSWORD :'airflow';
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow';
CREATE ROLE app_rw LOGIN PASSWORD :'app_rw';
CREATE ROLE app_ro LOGIN PASSWORD :'app_ro';
CREATE DATABASE airflow OWNER airflow;
CREATE DATABASE mlflow OWNER mlflow;
CREATE DATABASE evergreen OWNER postgres;
REVOKE ALL ON DATABASE airflow FROM PUBLIC;
REVOKE ALL ON DATABASE mlflow FROM PUBLIC;
REVOKE ALL ON DATABASE evergreen FROM PUBLIC;
GRANT CONNECT ON DATABASE evergreen TO app_rw, app_ro;
SQL
