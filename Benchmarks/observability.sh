# What traces and metrics cost: the same load with all of it off, and with metrics on and one trace in a hundred recorded
# and sent away. Sourced by run.sh.

find_body='{"service":"vessel","method":"VesselService.FindAvailable","request":{"capacity":3,"max_weight":55000}}'

heading "Observability: FindAvailable, 64 connections, $((observability_rounds)) rounds of off and on; CPU in us per call, medians"
collector_port=$(free_port)
start collector "$bin/rpc-benchmark" collector "$collector_port"
collector_pid=$started
wait_port "$collector_port"

# start_watched NAME VARIABLE=VALUE...: vessel service and gateway; their ports and pids are in NAME_….
start_watched() {
    local name=$1 vessel gateway
    shift
    vessel=$(free_port)
    # A machine that is busy with other things would have calls refused, which cost less than those that are answered.
    set -- "$@" OVERLOAD_CONTROL=off
    start "vessel-$name" env "$@" DB_HOST="sqlite:$work/observed-$name.db" "$bin/shippy-vessel-service" \
        --server_address="127.0.0.1:$vessel" --admin_address=127.0.0.1:0 --seed --log_level=warning
    declare -g "${name}_vessel=$started"
    gateway=$(free_port)
    declare -g "${name}_admin=$(free_port)"
    local admin=${name}_admin
    start "gateway-$name" env "$@" VESSEL_ADDRESS="127.0.0.1:$vessel" "$bin/shippy-api-gateway" --services=vessel \
        --address="127.0.0.1:$gateway" --admin_address="127.0.0.1:${!admin}" --log_level=warning
    declare -g "${name}_gateway=$started"
    declare -g "${name}_port=$gateway"
    wait_url "http://127.0.0.1:$gateway/readyz"
    http "$gateway" 64 1 /rpc "$find_body"
}

# Both stay up, and only one of them has calls at a time.
start_watched off OTEL_SDK_DISABLED=true
start_watched on OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:$collector_port" \
    OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=0.01

median() { sort -n "$1" | awk '{ v[NR] = $1 } END { printf "%.1f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

for ((round = 0; round < observability_rounds; round++)); do
    # The one that comes first takes turns, as machines grow warm.
    order="off on"
    [ $((round % 2)) = 0 ] || order="on off"
    for name in $order; do
        gateway=${name}_gateway vessel=${name}_vessel port=${name}_port
        gateway_before=$(cpu_us "${!gateway}")
        vessel_before=$(cpu_us "${!vessel}")
        http "${!port}" 64 "$observability_seconds" /rpc "$find_body"
        per_call "$gateway_before" "$(cpu_us "${!gateway}")" "$calls" >>"$work/$name.gateway"
        echo >>"$work/$name.gateway"
        per_call "$vessel_before" "$(cpu_us "${!vessel}")" "$calls" >>"$work/$name.vessel"
        echo >>"$work/$name.vessel"
        echo "$rate" >>"$work/$name.rate"
    done
done

printf '%-34s %9s %12s %12s\n' "" calls/s "CPU gateway" "CPU service"
for name in off on; do
    label="all off"
    [ "$name" = off ] || label="metrics, 1 % of traces"
    printf '%-34s %9.0f %12s %12s\n' "$label" "$(median "$work/$name.rate")" "$(median "$work/$name.gateway")" \
        "$(median "$work/$name.vessel")"
done
printf '%-34s %9s %12s %12s\n' "on / off" "$(ratio "$(median "$work/on.rate")" "$(median "$work/off.rate")")" \
    "$(ratio "$(median "$work/on.gateway")" "$(median "$work/off.gateway")")" \
    "$(ratio "$(median "$work/on.vessel")" "$(median "$work/off.vessel")")"
# Both processes together, as a caller pays for both.
printf 'gateway and service together: %s times the CPU of all off\n' "$(paste "$work"/on.gateway "$work"/on.vessel \
    "$work"/off.gateway "$work"/off.vessel | awk '{ print ($1 + $2) / ($3 + $4) }' >"$work/both"; \
    awk -v m="$(sort -n "$work/both" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }')" 'BEGIN { printf "%.3f", m }')"
curl -s "http://127.0.0.1:$on_admin/metrics" | grep '^traces_spans' | sed 's/^/gateway: /'
kill "$on_gateway" "$on_vessel" "$off_gateway" "$off_vessel"
wait "$on_gateway" "$on_vessel" "$off_gateway" "$off_vessel" 2>/dev/null || true
kill "$collector_pid"
