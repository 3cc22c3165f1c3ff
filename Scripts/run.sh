#!/bin/sh
# Builds and starts all services on this machine, with embedded stores in .run/, until Ctrl-C.
set -eu
cd "$(dirname "$0")/.."
name=run
. Scripts/lib.sh

PORT=${PORT:-8080}
ADMIN_PORT=${ADMIN_PORT:-9050}

# One line for each service: name, port unless NAME_PORT says another, further flags. Their admin ports follow
# ADMIN_PORT. A service comes after those that it calls.
services="
vessel 50051 --seed
email 50054
user 50052
consignment 50053
"

upper() { printf '%s' "$1" | tr '[:lower:]' '[:upper:]'; }

# The same lines with the ports that were chosen, and behind them the variables that choose.
chosen=
while read -r service port flags; do
    [ -n "$service" ] || continue
    variable=$(upper "$service")_PORT
    eval "port=\${$variable:-\$port}"
    chosen="${chosen:+$chosen
}$service $port $variable $flags"
done <<END
$services
END
services=$chosen

ready_seconds=60
stop_seconds=30
parent=$PPID
running= # name:pid, the gateway last

# Whether somebody listens on the port. /proc has it everywhere; ss and lsof are not always there.
is_taken() {
    awk -v port="$(printf '%04X' "$1")" \
        'FNR > 1 && $4 == "0A" && substr($2, length($2) - 3) == port { found = 1 } END { exit !found }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

require_free() { # port, what for, variable
    case "$1" in *[!0-9]* | '') fail "$3: '$1' is not a port" ;; esac
    if is_taken "$1"; then
        fail "port $1 ($2) is taken by another program; choose another: make run $3=$(($1 + 1))"
    fi
}

# A child that ended but was not waited for yet is a zombie, which kill -0 takes for alive.
is_alive() {
    case "$(awk '{ print $3 }' "/proc/$1/stat" 2>/dev/null)" in '' | Z) return 1 ;; esac
}

# A session of its own keeps Ctrl-C from reaching the program beside our own signal; should this script be killed, the
# system passes that on as SIGTERM.
start() { # name, program and flags
    service=$1
    shift
    setsid setpriv --pdeathsig TERM "$@" >".run/$service.log" 2>&1 </dev/null 9>&- &
    running="$running $service:$!"
}

stop_all() {
    trap - EXIT
    trap '' INT TERM HUP
    reversed=
    for entry in $running; do reversed="$entry $reversed"; done
    for entry in $reversed; do
        pid=${entry#*:}
        kill -TERM "$pid" 2>/dev/null || continue
        tenths=0
        while is_alive "$pid" && [ $tenths -lt $((stop_seconds * 10)) ]; do
            sleep 0.1
            tenths=$((tenths + 1))
        done
        # Asked once more, as kill also takes one that has ended but was not waited for.
        if is_alive "$pid"; then
            kill -KILL "$pid" 2>/dev/null && say "${entry%%:*} had to be killed"
        fi
        wait "$pid" 2>/dev/null || true
    done
    [ -z "$running" ] || say "all stopped; the data stays in .run/"
}

# Says which service died and what it said last.
check_alive() {
    for entry in $running; do
        is_alive "${entry#*:}" && continue
        status=0
        wait "${entry#*:}" || status=$?
        say "${entry%%:*} ended with status $status; the end of .run/${entry%%:*}.log:" >&2
        tail -n 10 ".run/${entry%%:*}.log" >&2
        exit 1
    done
}

wait_ready() { # name, URL
    tenths=0
    until curl -sf -o .run/ready "$2"; do
        check_alive
        tenths=$((tenths + 1))
        [ $tenths -lt $((ready_seconds * 10)) ] || fail "$1 is not ready after $ready_seconds s: $(curl -s "$2")"
        sleep 0.1
    done
}

Scripts/install.sh run

# Two runs in one folder would share stores and logs. The lock goes with this process, however it ends.
mkdir -p .run
exec 9>.run/lock
flock -n 9 || fail "another make run is at work in this folder"

require_free "$PORT" "gateway" PORT
require_free "$ADMIN_PORT" "gateway's probes and metrics" ADMIN_PORT
admin=$ADMIN_PORT
while read -r service port variable flags; do
    admin=$((admin + 1))
    require_free "$port" "$service" "$variable"
    require_free "$admin" "probes and metrics of $service" ADMIN_PORT
done <<END
$services
END

say "building (the first time takes some minutes)"
# shellcheck disable=SC2046 # names are words
Scripts/release.sh $(printf '%s\n' "$services" | awk '{ print "shippy-" $1 "-service" }') shippy-api-gateway
programs=$(swift build -c release --show-bin-path)

trap stop_all EXIT
trap 'exit 0' INT TERM HUP
# All addresses first: services call each other both ways.
while read -r service port variable flags; do
    export "$(upper "$service")_ADDRESS=127.0.0.1:$port"
done <<END
$services
END
admin=$ADMIN_PORT
while read -r service port variable flags; do
    admin=$((admin + 1))
    # shellcheck disable=SC2086 # flags are words
    start "$service" env DB_HOST="sqlite:.run/$service.db" "$programs/shippy-$service-service" \
        --server_address="127.0.0.1:$port" --admin_address="127.0.0.1:$admin" $flags
done <<END
$services
END
start gateway "$programs/shippy-api-gateway" --address=":$PORT" --admin_address="127.0.0.1:$ADMIN_PORT" --static=ui

admin=$ADMIN_PORT
while read -r service port variable flags; do
    admin=$((admin + 1))
    wait_ready "$service" "http://127.0.0.1:$admin/readyz"
done <<END
$services
END
wait_ready gateway "http://127.0.0.1:$PORT/readyz"

cat <<END

Shippy is up. Try, in another terminal:

  curl localhost:$PORT/rpc -XPOST -d '{"request": {"name": "test", "capacity": 200, "max_weight": 100000, "available": true}, "method": "VesselService.Create", "service": "vessel"}' -H 'Content-Type: application/json'

Or sign up and book at http://localhost:$PORT/ in a browser.

Logs are in .run/*.log, metrics at http://127.0.0.1:$ADMIN_PORT/metrics and up. Ctrl-C stops everything.
END

# A sleep in the background is waited for, so that a signal is answered at once.
while :; do
    check_alive
    # Whoever started us is gone, killed perhaps: nobody is there to press Ctrl-C any more.
    [ "$(awk '{ print $4 }' "/proc/$$/stat")" = "$parent" ] || exit 0
    sleep 1 9>&- &
    wait $! || true
done
