#!/bin/sh
# Restores PostgreSQL's part of the newest backup into a server of its own, and counts. Ends with status 1 if that can't be
# done, or if the newest backup is old.
set -eu
folder=${FOLDER:-/backup}
scratch=${SCRATCH:-/scratch}

set -- "$folder"/2*
[ -d "$1" ] || { echo "there is no backup" >&2; exit 1; }
shift $(($# - 1))
echo "restoring $1"
[ -n "$(find "$1" -maxdepth 0 -mmin "-$((${HOURS_MAX:-48} * 60))")" ] || { echo "it is older than ${HOURS_MAX:-48} hours" >&2; exit 1; }

# Nobody else reaches it: its socket is in a folder of this container, and it listens on no port.
export PGHOST="$scratch" PGUSER=shippy
initdb --pgdata="$scratch/data" --username=shippy --auth=trust >/dev/null
pg_ctl --pgdata="$scratch/data" --log="$scratch/log" --options="-c listen_addresses= -c unix_socket_directories=$scratch" \
    --wait --silent start
createdb shippy
pg_restore --dbname=shippy --exit-on-error "$1/shippy.pgdump"
for table in users outbox; do
    echo "$table: $(psql --dbname=shippy --no-align --tuples-only --command="SELECT count(*) FROM $table")"
done
pg_ctl --pgdata="$scratch/data" --mode=fast --silent stop
echo "PostgreSQL can be restored"
