#!/bin/sh
# The second half of a backup: MongoDB, then the folder gets its name, and the oldest ones go. Vessels and consignments are
# dumped one after the other; --oplog brings them to one moment, or a vessel's room and its bookings would not agree. It takes
# all databases at once, and root to read them.
set -eu
folder=${FOLDER:-/backup}

# An argument could be read by everybody who sees the processes.
printf 'password: %s\n' "$MONGO_ROOT_PASSWORD" |
    mongodump --config=/dev/stdin --host=rs0/mongo --username=root --authenticationDatabase=admin \
        --oplog --gzip --archive="$folder/new/shippy.mongodump"
backup=$folder/$(date -u +%Y-%m-%dT%H%M%SZ)
mv "$folder/new" "$backup"
echo "dumped MongoDB; the backup is $backup"

# Named by their time, so that they stand in its order.
set -- "$folder"/2*
while [ $# -gt "${KEPT:-7}" ]; do
    rm -rf "$1"
    echo "deleted $1"
    shift
done
