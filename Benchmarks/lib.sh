# Shared by the benchmark scripts. Sourced by bash; starts what is measured, and ends it whatever happens.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=${BIN:-$root/.build/release}
work=$(realpath "$(mktemp -d)")
ticks=$(getconf CLK_TCK)

stop_all() {
    local pid running
    # Those that still run: the numbers of others may belong to somebody else by now.
    running=$(jobs -pr)
    for pid in $running; do kill "$pid" 2>/dev/null || true; done
    for pid in $running; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap stop_all EXIT
trap 'exit 130' INT TERM

# What we start ends with us even if we are killed.
bound=()
if setpriv --pdeathsig TERM true 2>/dev/null; then bound=(setpriv --pdeathsig TERM); fi

need() {
    command -v "$1" >/dev/null || { echo "bench: $1 is missing; install it with: apt-get install $2" >&2; exit 1; }
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start NAME COMMAND...: runs it in the background; its pid is in $started.
start() {
    local name=$1
    shift
    "${bound[@]}" "$@" >"$work/$name.log" 2>&1 &
    started=$!
}

wait_port() {
    local port=$1 deadline=$((SECONDS + 10))
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || { echo "bench: nothing listens on port $port" >&2; tail -n 5 "$work"/*.log >&2; exit 1; }
        sleep 0.02
    done
}

wait_url() {
    local url=$1 deadline=$((SECONDS + 15))
    until curl -sf -o /dev/null "$url"; do
        [ "$SECONDS" -lt "$deadline" ] || { echo "bench: $url does not answer" >&2; tail -n 5 "$work"/*.log >&2; exit 1; }
        sleep 0.05
    done
}

# Microseconds of CPU (user + system) that a process and its children that ended have used.
cpu_us() { awk -v t="$ticks" '{ sub(/^.*\) /, ""); print ($12 + $13 + $14 + $15) * 1000000 / t }' "/proc/$1/stat"; }

rss_mib() { awk '/VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$1/status"; }

per_call() { awk -v a="$1" -v b="$2" -v n="$3" 'BEGIN { printf "%.1f", (n > 0 ? (b - a) / n : 0) }'; }

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b; else printf "-" }'; }

heading() { printf '\n%s\n' "$1"; }

# h2 PORT CALLS: h2load with 4 connections, 32 calls in flight on each; prints calls/s.
h2() {
    h2load -n "$2" -c 4 -m 32 -d "$work/echo.bin" -H 'content-type: application/grpc' -H 'te: trailers' \
        "http://127.0.0.1:$1/benchmark.Echo/Call" >"$work/h2load.out" 2>&1 || { cat "$work/h2load.out" >&2; exit 1; }
    grep -q "status codes: $2 2xx" "$work/h2load.out" || { cat "$work/h2load.out" >&2; exit 1; }
    awk '/^finished in/ { printf "%d", $4 }' "$work/h2load.out"
}

# http PORT CONNECTIONS SECONDS PATH BODY: wrk; sets calls, rate, p50, p99, and refused, which is an error unless
# MAY_REFUSE is set. Lost connections always are one.
http() {
    BODY=$5 wrk -t "$(($2 < 2 ? 1 : 2))" -c "$2" -d "$3s" --latency -s "$root/Benchmarks/post.lua" \
        "http://127.0.0.1:$1$4" >"$work/wrk.out" 2>&1 || { cat "$work/wrk.out" >&2; exit 1; }
    refused=$(awk '/Non-2xx/ { print $NF }' "$work/wrk.out")
    if { [ -n "$refused" ] && [ -z "${MAY_REFUSE:-}" ]; } ||
        awk '/Socket errors/ { if ($4 + $6 + $8 > 0) bad = 1 } END { exit !bad }' "$work/wrk.out"; then
        cat "$work/wrk.out" >&2
        exit 1
    fi
    calls=$(awk '/requests in/ { print $1 }' "$work/wrk.out")
    rate=$(awk '/Requests\/sec/ { printf "%d", $2 }' "$work/wrk.out")
    p50=$(awk '$1 == "50%" { print $2 }' "$work/wrk.out")
    p99=$(awk '$1 == "99%" { print $2 }' "$work/wrk.out")
}

# measure LABEL PORT CONNECTIONS PATH BODY GATEWAY_PID [SERVICE_PID...]: prints a row, the services in one column each;
# leaves rate and g (CPU of the gateway).
measure() {
    local label=$1 port=$2 connections=$3 path=$4 body=$5 pid i=0
    shift 5
    local pids_seen=("$@") before=()
    for pid in "${pids_seen[@]}"; do before+=("$(cpu_us "$pid")"); done
    http "$port" "$connections" "$seconds" "$path" "$body"
    printf '%-34s %5s %9s %9s %9s' "$label" "$connections" "$rate" "$p50" "$p99"
    g=
    for pid in "${pids_seen[@]}"; do
        cpu=$(per_call "${before[$i]}" "$(cpu_us "$pid")" "$calls")
        g=${g:-$cpu}
        printf ' %12s' "$cpu"
        i=$((i + 1))
    done
    printf '\n'
}

# burn COUNT: starts busy-looping processes, as on a machine with other work; until stop_burning.
burning=()
burn() {
    local number
    for ((number = 0; number < $1; number++)); do
        start "burner$number" sh -c 'while :; do :; done'
        burning+=("$started")
    done
}

stop_burning() {
    [ "${#burning[@]}" = 0 ] && return
    kill "${burning[@]}"
    wait "${burning[@]}" 2>/dev/null || true
    burning=()
}

# ask PORT SERVICE METHOD REQUEST [TOKEN]: one call through a gateway; prints the answer.
ask() {
    curl -sS "http://127.0.0.1:$1/rpc" -H 'Content-Type: application/json' ${5:+-H "Authorization: Bearer $5"} \
        -d "{\"service\":\"$2\",\"method\":\"$3\",\"request\":$4}"
}

# sign_up PORT EMAIL: prints the token of a new user.
sign_up() {
    ask "$1" user UserService.Create "{\"name\":\"Bench\",\"email\":\"$2\",\"password\":\"correct horse\"}" |
        sed 's/.*"token":"\([^"]*\)".*/\1/'
}

# start_postgres: a durable cluster of its own; sets postgres_uri and postgres_pid. Its server refuses to run as root.
start_postgres() {
    local tools owner=() port
    tools=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
    [ -x "$tools/postgres" ] || { echo "bench: PostgreSQL is missing; install it with: apt-get install postgresql-15" >&2; exit 1; }
    mkdir -p "$work/postgres"
    if [ "$(id -u)" = 0 ]; then
        # Its programs find themselves by leaving their folder and coming back, and nobody may not enter all of ours.
        # Who changes the user loses the signal at its parent's end, so it is asked for once more.
        owner=(env --chdir=/ "${bound[@]:-setpriv}" --reuid=nobody --regid=nogroup --clear-groups)
        chown nobody:nogroup "$work/postgres"
        chmod 711 "$work"
    fi
    "${owner[@]}" "$tools/initdb" -D "$work/postgres/data" -U shippy --auth=trust --locale=C --encoding=UTF8 >/dev/null
    port=$(free_port)
    start postgres "${owner[@]}" "$tools/postgres" -D "$work/postgres/data" -p "$port" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories=
    postgres_pid=$started
    wait_port "$port"
    until "$tools/pg_isready" -q -h 127.0.0.1 -p "$port"; do sleep 0.05; done
    postgres_uri="postgresql://shippy@127.0.0.1:$port/postgres"
}

# start_shippy STORE [VARIABLE=VALUE...]: vessel service and gateway, with these variables; sets vessel_pid, gateway_pid,
# vessel_port, gateway_port.
# Callers that wait for each answer load as much as there is to have: a refusal would cost less than what is measured.
start_shippy() {
    local store=$1
    shift
    vessel_port=$(free_port)
    start vessel env "$@" OVERLOAD_CONTROL=off DB_HOST="sqlite:$store" "$bin/shippy-vessel-service" \
        --server_address="127.0.0.1:$vessel_port" --admin_address=127.0.0.1:0 --seed --log_level=warning
    vessel_pid=$started
    gateway_port=$(free_port)
    start gateway env "$@" OVERLOAD_CONTROL=off VESSEL_ADDRESS="127.0.0.1:$vessel_port" "$bin/shippy-api-gateway" \
        --services=vessel --address="127.0.0.1:$gateway_port" --admin_address=127.0.0.1:0 --log_level=warning
    gateway_pid=$started
    wait_url "http://127.0.0.1:$gateway_port/readyz"
}

stop_shippy() {
    kill "$gateway_pid" "$vessel_pid"
    wait "$gateway_pid" "$vessel_pid" 2>/dev/null || true
}

# build_counter: compiles the library that counts allocations; sets counter to its path.
build_counter() {
    need cc gcc
    mkdir -p "$root/.build/bench"
    counter=$root/.build/bench/count_malloc.so
    cc -std=c11 -O2 -Wall -Wextra -shared -fPIC -o "$counter" "$root/Benchmarks/count_malloc.c"
}

# start_all STORE: everything; STORE is the consignments'. Sets gateway_port, the pids of all, and token.
start_all() {
    local name flags
    for name in vessel email user consignment; do
        declare -g "${name}_port=$(free_port)"
    done
    export VESSEL_ADDRESS="127.0.0.1:$vessel_port" USER_ADDRESS="127.0.0.1:$user_port"
    export EMAIL_ADDRESS="127.0.0.1:$email_port" CONSIGNMENT_ADDRESS="127.0.0.1:$consignment_port"
    for name in vessel email user consignment; do
        flags=
        [ "$name" = vessel ] && flags=--seed
        local port="${name}_port" db="sqlite:$work/all-$name.db"
        [ "$name" = consignment ] && db=$1
        # shellcheck disable=SC2086 # flags are words
        start "$name" env DB_HOST="$db" "$bin/shippy-$name-service" --server_address="127.0.0.1:${!port}" \
            --admin_address=127.0.0.1:0 --log_level=error $flags
        declare -g "${name}_pid=$started"
    done
    gateway_port=$(free_port)
    start gateway "$bin/shippy-api-gateway" --address="127.0.0.1:$gateway_port" --admin_address=127.0.0.1:0 --log_level=error
    gateway_pid=$started
    wait_url "http://127.0.0.1:$gateway_port/readyz"
    token=$(sign_up "$gateway_port" "bench$RANDOM$RANDOM@example.com")
}

stop_all_services() {
    local pids_seen=("$gateway_pid" "$consignment_pid" "$user_pid" "$email_pid" "$vessel_pid")
    kill "${pids_seen[@]}"
    wait "${pids_seen[@]}" 2>/dev/null || true
    unset VESSEL_ADDRESS USER_ADDRESS EMAIL_ADDRESS CONSIGNMENT_ADDRESS
}
