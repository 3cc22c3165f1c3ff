# RPC alone, vessels end to end, sizes of the store, and programs at rest. Sourced by run.sh.

find_body='{"service":"vessel","method":"VesselService.FindAvailable","request":{"capacity":3,"max_weight":55000}}'
create_body='{"service":"vessel","method":"VesselService.Create","request":{"name":"test","capacity":200,"max_weight":100000,"available":true}}'
python3 - "$work/echo.bin" <<'PY'
import sys
vessel = b"\x0a\x09vessel001\x10\xf4\x03\x18\xc0\x9a\x0c\x22\x13Kane's Salty Secret\x28\x01"
open(sys.argv[1], "wb").write(b"\0" + len(vessel).to_bytes(4, "big") + vessel)
PY

# --- RPC alone ------------------------------------------------------------------------------------------------------

heading "gRPC unary echo, h2load, 4 connections, 128 in flight"
printf '%-34s %12s %14s\n' server calls/s "CPU us/call"
echo_port=$(free_port)
start echo "$bin/rpc-benchmark" server "$echo_port"
echo_pid=$started
wait_port "$echo_port"
if [ -x "$peers/h2floor" ]; then
    floor_port=$(free_port)
    start floor "$peers/h2floor" "$floor_port"
    floor_pid=$started
    wait_port "$floor_port"
fi
h2 "$echo_port" 20000 >/dev/null
before=$(cpu_us "$echo_pid")
rate=$(h2 "$echo_port" 300000)
ours=$(per_call "$before" "$(cpu_us "$echo_pid")" 300000)
printf '%-34s %12s %14s\n' "shippy RPC server" "$rate" "$ours"
if [ -n "${floor_pid:-}" ]; then
    h2 "$floor_port" 20000 >/dev/null
    before=$(cpu_us "$floor_pid")
    rate=$(h2 "$floor_port" 300000)
    floor=$(per_call "$before" "$(cpu_us "$floor_pid")" 300000)
    printf '%-34s %12s %14s   (ours: %s times)\n' "C, nghttp2 and epoll" "$rate" "$floor" "$(ratio "$ours" "$floor")"
fi
heading "Our client against our server, 128 in flight"
"$bin/rpc-benchmark" client "$echo_port" 20000 >/dev/null
"$bin/rpc-benchmark" client "$echo_port" 200000
kill "$echo_pid" ${floor_pid:+"$floor_pid"}

# --- End to end -----------------------------------------------------------------------------------------------------

heading "POST /rpc, wrk; CPU in us per call"
printf '%-34s %5s %9s %9s %9s %12s %12s\n' "" conns calls/s p50 p99 "CPU gateway" "CPU service"
start_shippy "$work/first.db"
http "$gateway_port" 64 1 /rpc "$find_body"
measure "shippy FindAvailable" "$gateway_port" 64 /rpc "$find_body" "$gateway_pid" "$vessel_pid"
shippy_rate=$rate
shippy_gateway=$g
measure "shippy FindAvailable" "$gateway_port" 1 /rpc "$find_body" "$gateway_pid" "$vessel_pid"
measure "shippy Create" "$gateway_port" 64 /rpc "$create_body" "$gateway_pid" "$vessel_pid"
measure "shippy Create" "$gateway_port" 1 /rpc "$create_body" "$gateway_pid" "$vessel_pid"
printf 'resident after load: gateway %s MiB, vessel %s MiB\n' "$(rss_mib "$gateway_pid")" "$(rss_mib "$vessel_pid")"
stop_shippy

go_rate=
if [ -x "$peers/vessel" ] && [ -x "$peers/gateway" ]; then
    go_vessel_port=$(free_port)
    start go-vessel "$peers/vessel" -addr "127.0.0.1:$go_vessel_port"
    go_vessel=$started
    go_port=$(free_port)
    start go-gateway "$peers/gateway" -addr "127.0.0.1:$go_port" -backend "127.0.0.1:$go_vessel_port" -mode std
    go_gateway=$started
    wait_port "$go_vessel_port"
    wait_port "$go_port"
    http "$go_port" 64 1 /rpc "$find_body"
    measure "Go peer FindAvailable (in memory)" "$go_port" 64 /rpc "$find_body" "$go_gateway" "$go_vessel"
    go_rate=$rate
    measure "Go peer FindAvailable (in memory)" "$go_port" 1 /rpc "$find_body" "$go_gateway" "$go_vessel"
    kill "$go_gateway" "$go_vessel"
fi

nginx=$(command -v nginx || ls /usr/sbin/nginx 2>/dev/null || true)
nginx_cpu=
nginx_masters=()
if [ -n "$nginx" ]; then
    front=$(free_port)
    back=$(free_port)
    for role in front back; do
        mkdir -p "$work/nginx-$role"
        if [ "$role" = front ]; then
            location="proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection '';"
        else
            location="default_type application/json; return 200 '{\"vessel\":{\"id\":\"vessel001\",\"capacity\":500,\"max_weight\":200000,\"name\":\"Kane\",\"available\":true}}';"
        fi
        cat >"$work/nginx-$role/nginx.conf" <<CONF
daemon off; worker_processes 1; pid $work/nginx-$role/pid; error_log $work/nginx-$role/error.log;
events { worker_connections 1024; }
http {
    access_log off; keepalive_requests 100000000; client_body_temp_path $work/nginx-$role/body;
    proxy_temp_path $work/nginx-$role/proxy; fastcgi_temp_path $work/nginx-$role/fastcgi;
    uwsgi_temp_path $work/nginx-$role/uwsgi; scgi_temp_path $work/nginx-$role/scgi;
    upstream back { server 127.0.0.1:$back; keepalive 64; keepalive_requests 100000000; }
    server { listen 127.0.0.1:${!role}; location / { $location } }
}
CONF
        start "nginx-$role" "$nginx" -p "$work/nginx-$role" -c "$work/nginx-$role/nginx.conf"
        nginx_masters+=("$started")
        wait_port "${!role}"
        # The worker does the work, not the master.
        declare "nginx_$role=$(pgrep -P "$started")"
    done
    http "$front" 64 1 /rpc "$find_body"
    measure "nginx proxy to nginx" "$front" 64 /rpc "$find_body" "$nginx_front" "$nginx_back"
    nginx_cpu=$g
    kill "${nginx_masters[@]}"
    wait "${nginx_masters[@]}" 2>/dev/null || true
fi
[ -n "$go_rate" ] && echo "FindAvailable: $(ratio "$shippy_rate" "$go_rate") times the Go peer's calls/s"
[ -n "$nginx_cpu" ] && echo "gateway: $(ratio "$shippy_gateway" "$nginx_cpu") times the CPU of nginx as a reverse proxy"

# --- Sizes of the store ---------------------------------------------------------------------------------------------

# Starts the vessel service of $programs over the store of $count vessels.
start_on_file() {
    port=$(free_port)
    start vessel env OVERLOAD_CONTROL=off DB_HOST="sqlite:$file" "$programs/shippy-vessel-service" \
        --server_address="127.0.0.1:$port" --admin_address=127.0.0.1:0 --log_level=warning
    vessel_pid=$started
    wait_port "$port"
}

stop_on_file() {
    kill "$vessel_pid"
    wait "$vessel_pid" 2>/dev/null || true
}

# A row of the table: its name, a command of rpc-benchmark, the number of calls, and the command's other arguments.
measure_on_file() {
    local name=$1 command=$2 calls=$3 before rate
    shift 2
    before=$(cpu_us "$vessel_pid")
    rate=$("$bin/rpc-benchmark" "$command" "$port" "$@")
    printf '%-12s %-26s %10s %14s\n' "$count" "$name" "$rate" "$(per_call "$before" "$(cpu_us "$vessel_pid")" "$calls")"
}

# As measure_on_file, while another client reserves and releases what is searched for. CPU is that of a call of either client.
measure_churn() {
    local name=$1 before rate changes total
    before=$(cpu_us "$vessel_pid")
    read -r rate changes total < <("$bin/rpc-benchmark" churn "$port" "${@:2}")
    printf '%-12s %-26s %10s %14s   (and %s Reserve and Release calls/s)\n' "$count" "$name" "$rate" \
        "$(per_call "$before" "$(cpu_us "$vessel_pid")" "$total")" "$changes"
}

heading "FindAvailable in the vessel service alone (our client, 64 in flight), SQLite"
printf '%-12s %-26s %10s %14s\n' vessels query calls/s "CPU us/call"
for count in 1000 "$vessels_max"; do
    for programs in $old "$bin"; do
        label=$([ "$programs" = "$bin" ] || echo "old: ")
        file="$work/$count${label:+-old}.db"
        start_on_file
        "$bin/rpc-benchmark" fill "$port" "$count" >"$work/fill.out"
        # Capacity and weight asked for: an ordinary one, one that only the heaviest can take, and one that none can.
        measure_on_file "${label}ordinary" find 40000 5000 50000
        measure_on_file "${label}few-fit" find 40000 1 999000
        measure_on_file "${label}none-fits" find 40000 1 2000000
        # Of the old version, as all below, only if it books room in a store like ours.
        can_book=$(python3 "$root/Benchmarks/fill_room.py" --check "$file")
        if [ "$can_book" = yes ]; then
            measure_on_file "${label}Reserve" reserve 10000
            measure_churn "${label}ordinary, bookings" 40000 5000 50000
            measure_churn "${label}few-fit, bookings" 40000 1 999000
        else
            echo "${label}no bookings: its store has no room to book"
        fi
        [ "$count" = "$vessels_max" ] && sed "s/^/${label}filling: /" "$work/fill.out"
        printf '%sresident with %s vessels: %s MiB\n' "$label" "$count" "$(rss_mib "$vessel_pid")"
        stop_on_file
        [ "$can_book" = yes ] || continue

        # The same fleet with little room left on each vessel, written to the file while the service does not run.
        python3 "$root/Benchmarks/fill_room.py" "$file"
        start_on_file
        measure_on_file "${label}nearly-full" find 40000 5 500
        measure_on_file "${label}nearly-full-few-fit" find 40000 5 999
        measure_on_file "${label}nearly-full-none-fits" find 40000 60 10
        measure_churn "${label}nearly-full, bookings" 40000 5 500
        stop_on_file
    done
done

# --- At rest --------------------------------------------------------------------------------------------------------

heading "At rest, warm embedded store"
for try in 1 2 3 4 5; do
    port=$(free_port)
    from=${EPOCHREALTIME/./}
    start vessel env DB_HOST="sqlite:$work/1000.db" "$bin/shippy-vessel-service" \
        --server_address="127.0.0.1:$port" --admin_address=127.0.0.1:0 --log_level=warning
    vessel_pid=$started
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.002; done
    printf 'vessel service listens after %d ms' $(((${EPOCHREALTIME/./} - from) / 1000))
    sleep 0.5
    printf ', resident %s MiB\n' "$(rss_mib "$vessel_pid")"
    kill "$vessel_pid"
    wait "$vessel_pid" 2>/dev/null || true
done
start_shippy "$work/first.db"
sleep 0.5
printf 'resident at rest: gateway %s MiB, vessel %s MiB\n' "$(rss_mib "$gateway_pid")" "$(rss_mib "$vessel_pid")"
stop_shippy
