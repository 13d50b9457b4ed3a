#!/bin/sh
# Runs once, when the database's volume is new: the login with which Grafana reads. What it may read
# is granted to the group role by the migrations.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$GRAFANA_DB_PASSWORD" \
    --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE gridwarden_grafana NOLOGIN;
CREATE ROLE grafana LOGIN PASSWORD :'password' IN ROLE gridwarden_grafana CONNECTION LIMIT 20;
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '10s';
SQL
