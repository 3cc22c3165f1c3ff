# Allocations and system calls of one FindAvailable request, in the gateway and in the vessel service on SQLite. Sourced by
# run.sh.
#
# Each figure is a long run less a short one, by the number of requests that the long one has more: what opening
# connections costs is in both. h2load sends exactly as many requests as it is told, each when the answer to the one before
# it on its connection is there.

# The most for one request, by process and number of connections. The run fails with what is above.
# A tenth above what was counted; system calls more, as they depend on what falls into one turn of a loop.
declare -A allocations_max=([gateway-1]=30 [gateway-64]=30 [vessel-1]=37 [vessel-64]=37)
declare -A bytes_max=([gateway-1]=12000 [gateway-64]=12000 [vessel-1]=8000 [vessel-64]=8000)
declare -A system_calls_max=([gateway-1]=9 [gateway-64]=4 [vessel-1]=15 [vessel-64]=3)

short_requests=2000
counted_requests=20000
# strace stops a program twice in each call, so fewer must do.
traced_short_requests=500
traced_requests=5000

need strace strace
build_counter
counts=$work/counts
mkdir -p "$counts"
printf '%s' '{"service":"vessel","method":"VesselService.FindAvailable","request":{"capacity":3,"max_weight":55000}}' \
    >"$work/find.json"
too_many=()

# send CONNECTIONS REQUESTS: through the gateway, until all are answered and the connections are closed.
send() {
    h2load --h1 -t 1 -c "$1" -m 1 -n "$2" -d "$work/find.json" -H 'content-type: application/json' \
        "http://127.0.0.1:$gateway_port/rpc" >"$work/h2load.out" 2>&1 || { cat "$work/h2load.out" >&2; exit 1; }
    grep -q "status codes: $2 2xx" "$work/h2load.out" || { cat "$work/h2load.out" >&2; exit 1; }
    sleep 0.2
}

# limit NAME CONNECTIONS FIGURE MAX WHAT: remembers what is above its limit.
limit() {
    awk -v figure="$3" -v max="$4" 'BEGIN { exit !(figure > max) }' || return 0
    too_many+=("$1 (conns $2): $3 $5 for each request; the limit is $4")
}

# --- Allocations ----------------------------------------------------------------------------------------------------

# read_counts NAME: five numbers, in the order of struct counts in count_malloc.c.
read_counts() {
    local pid=${1}_pid
    od -An -v -w40 -t u8 "$counts/${!pid}"
}

# count_allocations CONNECTIONS: prints a row for each process.
count_allocations() {
    local connections=$1 name figures all
    local -A seen=([gateway]=$(read_counts gateway) [vessel]=$(read_counts vessel))
    send "$connections" "$short_requests"
    for name in gateway vessel; do seen[$name]+=" $(read_counts "$name")"; done
    send "$connections" $((short_requests + counted_requests))
    for name in gateway vessel; do
        seen[$name]+=" $(read_counts "$name")"
        figures=$(awk -v requests="$counted_requests" -v text="${seen[$name]}" 'BEGIN {
            split(text, seen, " ")
            for (i = 1; i <= 5; i++) figure[i] = ((seen[10 + i] - seen[5 + i]) - (seen[5 + i] - seen[i])) / requests
            printf "%.2f %.2f %.2f %.2f %.2f %.0f", figure[1] + figure[2] + figure[3] + figure[4],
                figure[1], figure[2], figure[3], figure[4], figure[5] }')
        all=${figures%% *}
        # shellcheck disable=SC2086 # six figures
        printf '%-10s %6s %12s %9s %9s %9s %9s %9s\n' "$name" "$connections" $figures
        limit "$name" "$connections" "$all" "${allocations_max[$name-$connections]}" allocations
        limit "$name" "$connections" "${figures##* }" "${bytes_max[$name-$connections]}" "allocated bytes"
    done
}

heading "Allocations for each FindAvailable request, of $counted_requests; bytes are those asked for"
printf '%-10s %6s %12s %9s %9s %9s %9s %9s\n' process conns allocations malloc calloc realloc aligned bytes
start_shippy "$work/counts.db" LD_PRELOAD="$counter" COUNT_MALLOC_FOLDER="$counts"
send 64 5000
for connections in 1 64; do count_allocations "$connections"; done
stop_shippy

# --- System calls ---------------------------------------------------------------------------------------------------

# wait_traced NAME STRACE: until strace, a process, has all threads of a program.
wait_traced() {
    local pid=${1}_pid deadline=$((SECONDS + 10))
    while grep -hqx 'TracerPid:[[:space:]]*0' "/proc/${!pid}/task/"*/status 2>/dev/null; do
        if ! kill -0 "$2" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            echo "bench: strace cannot attach to the $1 process:" >&2
            cat "$work/strace-$1.log" >&2
            exit 1
        fi
        sleep 0.02
    done
}

# trace CONNECTIONS REQUESTS RUN: leaves strace's summaries in $work/RUN.gateway and $work/RUN.vessel.
trace() {
    local name pid tracers=()
    for name in gateway vessel; do
        pid=${name}_pid
        start "strace-$name" strace -c -f -p "${!pid}" -o "$work/$3.$name"
        tracers+=("$started")
        wait_traced "$name" "$started"
    done
    send "$1" "$2"
    # They let go of the programs and write.
    kill "${tracers[@]}" 2>/dev/null || true
    wait "${tracers[@]}" 2>/dev/null || true
    for name in gateway vessel; do
        [ -s "$work/$3.$name" ] || { echo "bench: strace counted nothing in the $name process" >&2; exit 1; }
    done
}

# count_system_calls CONNECTIONS: prints a row for each process.
count_system_calls() {
    local connections=$1 name all
    trace "$connections" "$traced_short_requests" short
    trace "$connections" $((traced_short_requests + traced_requests)) long
    for name in gateway vessel; do
        # The fourth column has the calls, the last one their name.
        awk -v requests="$traced_requests" '
            $1 ~ /^[0-9.]+$/ && $NF != "total" { calls[$NF] += FILENAME == ARGV[2] ? $4 : -$4 }
            END { for (name in calls) printf "%.4f %s\n", calls[name] / requests, name }' \
            "$work/short.$name" "$work/long.$name" | sort -rn >"$work/calls"
        all=$(awk '{ sum += $1 } END { printf "%.2f", sum }' "$work/calls")
        printf '%-10s %6s %12s   %s\n' "$name" "$connections" "$all" \
            "$(awk 'NR <= 5 { printf "%s%s %.2f", (NR > 1 ? ", " : ""), $2, $1 }' "$work/calls")"
        limit "$name" "$connections" "$all" "${system_calls_max[$name-$connections]}" "system calls"
    done
}

heading "System calls for each FindAvailable request, of $traced_requests, and the five most frequent"
echo "strace slows the programs down: with several connections, how many requests one epoll_wait finds depends on that"
printf '%-10s %6s %12s   %s\n' process conns calls "of these"
start_shippy "$work/traced.db"
send 64 2000
for connections in 1 64; do count_system_calls "$connections"; done
stop_shippy

for line in "${too_many[@]}"; do
    echo "bench: counts: $line" >&2
    above_limit=yes
done
