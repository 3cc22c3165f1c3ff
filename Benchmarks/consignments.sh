# Consignments end to end, through the gateway and three services on SQLite, and pages of a large store. Sourced by run.sh.

book_body='{"service":"consignment","method":"ConsignmentService.Create","request":{"description":"This is a test consignment","weight":55000,"containers":[{"customer_id":"cust001","user_id":"user001","origin":"Manchester, United Kingdom"},{"customer_id":"cust002","user_id":"user001","origin":"Derby, United Kingdom"},{"customer_id":"cust005","user_id":"user001","origin":"Sheffield, United Kingdom"}]}}'

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

heading "Consignments end to end, wrk; CPU in us per call"
printf '%-34s %5s %9s %9s %9s %12s %12s %12s %12s\n' "" conns calls/s p50 p99 "CPU gateway" consignment vessel user
start_all "sqlite:$work/booked.db"
services=("$gateway_pid" "$consignment_pid" "$vessel_pid" "$user_pid")
TOKEN=$token http "$gateway_port" 64 1 /rpc "$book_body"
TOKEN=$token measure "ConsignmentService.Create" "$gateway_port" 64 /rpc "$book_body" "${services[@]}"
TOKEN=$token measure "ConsignmentService.Create" "$gateway_port" 1 /rpc "$book_body" "${services[@]}"
stop_all_services

heading "Pages of 100, from the oldest on and from the middle; CPU in us per call"
printf '%-34s %5s %9s %9s %9s %12s %12s\n' "" conns calls/s p50 p99 "CPU gateway" consignment
for count in 1000 "$consignments_max"; do
    # The service makes the schema; the rows are put in behind its back, as a million bookings would take minutes.
    start_all "sqlite:$work/pages-$count.db"
    stop_all_services
    middle=$(python3 "$root/Benchmarks/fill_consignments.py" "$work/pages-$count.db" "$count")
    start_all "sqlite:$work/pages-$count.db"
    first='{"service":"consignment","method":"ConsignmentService.Get"}'
    later='{"service":"consignment","method":"ConsignmentService.Get","request":{"page_token":"'$middle'"}}'
    TOKEN=$token measure "$count, first page" "$gateway_port" 8 /rpc "$first" "$gateway_pid" "$consignment_pid"
    TOKEN=$token measure "$count, a page in the middle" "$gateway_port" 8 /rpc "$later" "$gateway_pid" "$consignment_pid"
    printf 'resident: consignment %s MiB, gateway %s MiB\n' "$(rss_mib "$consignment_pid")" "$(rss_mib "$gateway_pid")"
    stop_all_services
done

heading "All at rest"
start_all "sqlite:$work/booked.db"
sleep 1
for name in gateway vessel user consignment email; do
    pid="${name}_pid"
    printf '%s %s MiB  ' "$name" "$(rss_mib "${!pid}")"
done
printf '\n'
stop_all_services
