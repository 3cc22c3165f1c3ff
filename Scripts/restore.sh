#!/bin/sh
# Restores both databases from a backup: restore.sh FOLDER. Stops the programs, waits until they are gone, restores, starts as
# many as there were, and waits until they are ready. Run again after a failure, it starts over. RESUME=1 only starts the programs
# again, with the databases as they are.
set -eu
cd "$(dirname "$0")/.."
name=restore
. Scripts/lib.sh

in_shippy() { kubectl --namespace shippy "$@"; }
# Kept at each Deployment, so that it is known after an interruption too.
kept=shippy-replicas-before-restore
seconds_max=${STOP_SECONDS:-180}

# Of each program: its name, how many there are, its pods' label, how many there were before a restore that was interrupted.
programs() {
    in_shippy get deployments --selector=app.kubernetes.io/part-of=shippy --output \
        "jsonpath={range .items[*]}{.metadata.name} {.spec.replicas} {.spec.template.metadata.labels.app} {.metadata.annotations.$kept}{\"\\n\"}{end}"
}

stop() {
    # A backup of what is half restored would count as the newest. One that runs is waited for.
    if [ "$(in_shippy get cronjob backup --output='jsonpath={.spec.suspend}')" != true ]; then
        in_shippy annotate cronjob/backup "$kept=running" --overwrite
        in_shippy patch cronjob/backup --patch '{"spec": {"suspend": true}}'
    fi
    say "stopping the programs"
    apps=backup
    found=$(programs)
    while read -r program replicas app before; do
        [ -n "$program" ] || continue
        [ -n "$before" ] || in_shippy annotate "deployment/$program" "$kept=$replicas"
        # At 0 the autoscaler leaves it alone.
        in_shippy scale "deployment/$program" --replicas=0
        apps=$apps,$app
    done <<END
$found
END
    # scale returns at once; a program takes up to 80 s to end its calls.
    waited=0
    while true; do
        left=$(in_shippy get pods --selector="app in ($apps)" \
            --field-selector='status.phase!=Failed,status.phase!=Succeeded' --output=name) || fail "the pods can't be listed"
        [ -n "$left" ] || break
        # shellcheck disable=SC2086 # one line of them
        [ "$waited" -lt "$seconds_max" ] || fail "nothing was restored, as these are still there:" $left
        sleep "${POLL_SECONDS:-2}"
        waited=$((waited + 2))
    done
}

resume() {
    say "starting the programs"
    started=
    found=$(programs)
    while read -r program _ _ before; do
        [ -n "$before" ] || continue
        in_shippy scale "deployment/$program" --replicas="$before"
        in_shippy annotate "deployment/$program" "$kept-"
        started="$started $program"
    done <<END
$found
END
    if [ -n "$(in_shippy get cronjob backup --output="jsonpath={.metadata.annotations.$kept}")" ]; then
        in_shippy patch cronjob/backup --patch '{"spec": {"suspend": false}}'
        in_shippy annotate cronjob/backup "$kept-"
    fi
    for program in $started; do
        in_shippy rollout status "deployment/$program" --timeout=5m
    done
}

if [ -n "${RESUME:-}" ]; then
    resume
    exit 0
fi

folder=${1:-${FOLDER:-}}
[ -n "$folder" ] || fail "say which backup: make restore FOLDER=backup-…"
for file in shippy.pgdump shippy.mongodump; do
    [ -s "$folder/$file" ] || fail "there is no $folder/$file"
done
in_shippy get statefulset postgres mongo >/dev/null ||
    fail "the databases are not ours here; an operator restores its own"

has_stopped=
clean_up() {
    status=$?
    in_shippy exec mongo-0 -- rm -f /tmp/restore.yaml || true
    [ "$status" = 0 ] || [ -z "$has_stopped" ] ||
        say "not done. Again: make restore FOLDER=$folder. Or start the programs as it is: make restore RESUME=1" >&2
}
trap clean_up EXIT
# A signal alone would end dash without the trap above.
trap 'exit 130' INT
trap 'exit 143' TERM HUP

password=$(in_shippy get secret shippy-mongo --output='go-template={{index .data "root-password" | base64decode}}')
# The archive takes standard input, so the password goes into a file, on the memory disk that the members' key is on.
printf 'password: %s\n' "$password" | in_shippy exec --stdin mongo-0 -- sh -c 'umask 077; cat >/tmp/restore.yaml'
mongorestore() {
    in_shippy exec --stdin mongo-0 -- mongorestore --config=/tmp/restore.yaml --host=rs0/mongo --username=root \
        --authenticationDatabase=admin --gzip --archive --oplogReplay "$@" <"$folder/shippy.mongodump"
}
sql() {
    in_shippy exec postgres-0 -- psql --username=shippy --dbname=postgres --set=ON_ERROR_STOP=1 --quiet "$@"
}

say "reading the backup"
in_shippy exec --stdin postgres-0 -- pg_restore --list <"$folder/shippy.pgdump" >/dev/null ||
    fail "shippy.pgdump can't be read; nothing was done"
mongorestore --dryRun || fail "shippy.mongodump can't be read; nothing was done"

has_stopped=1
stop

say "restoring PostgreSQL"
# Into a database of its own, which then takes the other's place: until then nothing is lost, and afterwards nothing is left
# of what came after the backup.
sql --command='DROP DATABASE IF EXISTS shippy_restored' --command='CREATE DATABASE shippy_restored'
in_shippy exec --stdin postgres-0 -- pg_restore --username=shippy --dbname=shippy_restored --exit-on-error \
    <"$folder/shippy.pgdump"
sql --command='DROP DATABASE IF EXISTS shippy_replaced' \
    --command='ALTER DATABASE shippy RENAME TO shippy_replaced; ALTER DATABASE shippy_restored RENAME TO shippy'
say "restoring MongoDB"
mongorestore --drop
sql --command='DROP DATABASE shippy_replaced'

resume
say "restored from $folder; users of MongoDB came back with it: if the Secrets are newer than the backup, make deploy sets them"
