# What the whole system carries, and what it does with twice of that. Sourced by run.sh.
#
# MINUTES=1 (of twice the capacity), QUIET_SECONDS=60 (before and after it), STEP_SECONDS=5 (each step of the search),
# MIX=signup=1,… (load-generator --help), CONNECTIONS=2000, TIMES=2 (offered load as a multiple of the capacity),
# CAPACITY=RATE (a known capacity: no search), BURNERS=0 (busy-looping processes during the run). The programs take their
# variables from the environment, as always. JSON and plots are left in .build/bench.

minutes=${MINUTES:-1}
step_seconds=${STEP_SECONDS:-5}
out=$root/.build/bench
mkdir -p "$out"

# Of a tenth of the capacity, before the overload and after it.
quiet_seconds=${QUIET_SECONDS:-60}

# check_minutes CAPACITY: whether one run may hold as many requests (Phases.requestsMax in the load generator).
check_minutes() {
    local most
    most=$(awk -v c="$1" -v t="${TIMES:-2}" -v q="$quiet_seconds" 'BEGIN {
        low = (c / 10 < 20) ? 20 : c / 10
        printf "%d", (20000000 - 2 * q * low) / (60 * t * c) }')
    awk -v m="$minutes" -v most="$most" 'BEGIN { exit !(m > 0 && m <= most) }' || {
        echo "bench: MINUTES: one run has at most 20 million requests; with CAPACITY=$1 that is $most minutes" >&2
        exit 1
    }
}

# Where the rate is known nothing needs to be started to know that it is too much.
[ -z "${CAPACITY:-}" ] || check_minutes "$CAPACITY"
start_all "sqlite:$work/overload.db"
burn "${BURNERS:-0}"
load=("$bin/load-generator" --url "http://127.0.0.1:$gateway_port" --connections "${CONNECTIONS:-2000}" ${MIX:+--mix "$MIX"})
# Real callers bring processors of their own: ours must not wait for one behind those that it loads.
[ "$(id -u)" = 0 ] && load=(nice -n -10 "${load[@]}")

if [ -z "${CAPACITY:-}" ]; then
    heading "Capacity: the highest rate that holds, five programs and the load on this machine"
    "${load[@]}" --find-capacity --step "${step_seconds}s" --quiet --json "$out/capacity.json" --plot "$out/capacity.svg"
    CAPACITY=$(python3 "$root/Benchmarks/report.py" capacity "$out/capacity.json")
    check_minutes "$CAPACITY"
    sleep 3
fi

phases=$(awk -v c="$CAPACITY" -v m="$minutes" -v t="${TIMES:-2}" -v q="$quiet_seconds" 'BEGIN {
    low = (c / 10 < 20) ? 20 : c / 10
    printf "%ds@%.0f,%gm@%.0f,%ds@%.0f", q, low, m, t * c, q, low }')
heading "Overload: $phases"
"${load[@]}" --phases "$phases" --json "$out/overload.json" --plot "$out/overload.svg" \
    --watch "$gateway_pid=gateway" --watch "$consignment_pid=consignment" --watch "$vessel_pid=vessel" \
    --watch "$user_pid=user" --watch "$email_pid=email" 2> >(tee -i "$out/overload.log" >&2)
heading "Summary"
python3 "$root/Benchmarks/report.py" summary "$CAPACITY" "$out/overload.json"
echo "plot: $out/overload.svg, figures: $out/overload.json"
stop_burning
stop_all_services
