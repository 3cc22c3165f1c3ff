#!/bin/sh
# Takes a backup of both databases to this machine: backup.sh [FOLDER]. With FETCH=1 it takes the newest one from the cluster's
# disk of backups instead, with FETCH=NAME that one. FOLDER, backup-DATE by default, must not be there yet.
set -eu
cd "$(dirname "$0")/.."
name=backup
. Scripts/lib.sh

folder=${1:-${FOLDER:-backup-$(date -u +%Y-%m-%dT%H%M%SZ)}}
[ ! -e "$folder" ] || fail "$folder is there already"
in_shippy() { kubectl --namespace shippy "$@"; }
# Only its owner may read what people trusted us with; and what is not whole has another name.
umask 077
part=$folder.part
rm -rf "$part"
mkdir -p "$part"

take() {
    in_shippy get statefulset postgres mongo >/dev/null || fail "the databases are not ours here; an operator has its own backups"
    # PostgreSQL first, and MongoDB at one moment; deployments/databases/backup says why.
    say "dumping PostgreSQL"
    in_shippy exec postgres-0 -- pg_dump --username=shippy --format=custom shippy >"$part/shippy.pgdump"
    say "dumping MongoDB"
    password=$(in_shippy get secret shippy-mongo --output='go-template={{index .data "root-password" | base64decode}}')
    printf 'password: %s\n' "$password" | in_shippy exec --stdin mongo-0 -- \
        mongodump --config=/dev/stdin --host=rs0/mongo --username=root --authenticationDatabase=admin --oplog --gzip --archive \
        >"$part/shippy.mongodump"
}

fetch() { # name, or 1 for the newest
    # The disk is mounted by no pod that stays, so one is made for it.
    trap 'in_shippy delete pod/backup-fetch --ignore-not-found --wait=false >/dev/null' EXIT
    # A signal alone would end dash without the trap above.
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    in_shippy apply --filename=deployments/databases/backup/fetch.yaml
    in_shippy wait pod/backup-fetch --for=condition=Ready --timeout=300s
    found=$1
    [ "$found" != 1 ] || found=$(in_shippy exec backup-fetch -- sh -c 'ls /backup' | grep '^2' | tail -n 1)
    [ -n "$found" ] || fail "there is no backup on the disk"
    say "fetching $found"
    for file in shippy.pgdump shippy.mongodump; do
        in_shippy exec backup-fetch -- cat "/backup/$found/$file" >"$part/$file"
        # A connection that breaks is not always an error for kubectl.
        size=$(in_shippy exec backup-fetch -- stat --format=%s "/backup/$found/$file")
        [ "$size" -eq "$(wc -c <"$part/$file")" ] || fail "$file is not whole; try again"
    done
}

if [ -n "${FETCH:-}" ]; then fetch "$FETCH"; else take; fi
for file in shippy.pgdump shippy.mongodump; do
    [ -s "$part/$file" ] || fail "$file is empty"
done
mv "$part" "$folder"
say "the backup is in $folder; restore it with: make restore FOLDER=$folder"
