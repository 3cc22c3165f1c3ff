#!/bin/sh
# What a stand-in does instead of what its image would do; the command in docker-compose.yml is for the real one.
set -eu
case $PLAYS in
    mongo)
        mkdir -p /data/db
        exec python3 -c 'import sys; from secantus.cli import main; sys.exit(main())' \
            --host 0.0.0.0 --port 27017 --storage-path /data/db/standin --log-level ERROR --cache-size 64M
        ;;
    postgres)
        data=/var/lib/postgresql/data/pgdata
        mkdir -p /var/run/postgresql "$data"
        chown -R postgres "$data" /var/run/postgresql
        if [ ! -e "$data/PG_VERSION" ]; then
            setpriv --reuid=postgres --regid=postgres --clear-groups initdb --pgdata="$data" --auth-local=trust \
                --auth-host=scram-sha-256 >/dev/null
            echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
            setpriv --reuid=postgres --regid=postgres --clear-groups postgres --single -D "$data" postgres >/dev/null <<END
CREATE USER $POSTGRES_USER PASSWORD '$POSTGRES_PASSWORD'
CREATE DATABASE $POSTGRES_DB OWNER $POSTGRES_USER
END
        fi
        exec setpriv --reuid=postgres --regid=postgres --clear-groups postgres -D "$data" -c listen_addresses='*'
        ;;
    mailpit) exec python3 -u -m aiosmtpd --nosetuid --listen 0.0.0.0:1025 --class aiosmtpd.handlers.Debugging stdout ;;
    *) exec sleep infinity ;;
esac
