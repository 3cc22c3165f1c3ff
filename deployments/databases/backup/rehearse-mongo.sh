#!/bin/sh
# Restores MongoDB's part of the newest backup into a server of its own, and counts. Ends with status 1 if that can't be
# done, or if a collection is missing.
set -eu
folder=${FOLDER:-/backup}
scratch=${SCRATCH:-/scratch}

set -- "$folder"/2*
[ -d "$1" ] || { echo "there is no backup" >&2; exit 1; }
shift $(($# - 1))
echo "restoring $1"

# A replica set of one, as what the restore replays is a replica set's. Nobody else reaches it.
mkdir -p "$scratch/data"
mongod --dbpath="$scratch/data" --bind_ip=127.0.0.1 --port=27018 --replSet=rs0 --wiredTigerCacheSizeGB=0.25 \
    --fork --logpath="$scratch/mongod.log" >/dev/null
shell() { mongosh --quiet --norc --port 27018 --eval "$1"; }
shell 'rs.initiate({_id: "rs0", members: [{_id: 0, host: "127.0.0.1:27018"}]})' >/dev/null
until [ "$(shell 'db.hello().isWritablePrimary')" = true ]; do sleep 1; done
mongorestore --port=27018 --oplogReplay --gzip --archive="$1/shippy.mongodump"
shell '
    const shippy = db.getSiblingDB("shippy");
    const there = shippy.getCollectionNames();
    for (const name of ["vessels", "consignments", "emails"]) {
        if (!there.includes(name)) throw new Error(`there is no ${name}`);
        print(`${name}: ${shippy[name].countDocuments()}`);
    }'
mongod --dbpath="$scratch/data" --shutdown >/dev/null
echo "MongoDB can be restored"
