#!/bin/sh
# A user of the database that may look and nothing else, for Grafana.
set -eu
psql --no-psqlrc --set=ON_ERROR_STOP=1 --set=password="$GRAFANA_DB_PASSWORD" \
    --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
CREATE ROLE grafana LOGIN PASSWORD :'password';
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '10s';
GRANT pg_read_all_data TO grafana;
SQL
