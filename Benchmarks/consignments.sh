# Consignments end to end, through the gateway and three services on SQLite, and pages of a large store. Sourced by run.sh.

book_body='{"service":"consignment","method":"ConsignmentService.Create","request":{"description":"This is a test consignment","weight":1,"containers":[{"customer_id":"cust001","user_id":"user001","origin":"Manchester, United Kingdom"},{"customer_id":"cust002","user_id":"user001","origin":"Derby, United Kingdom"},{"customer_id":"cust005","user_id":"user001","origin":"Sheffield, United Kingdom"}]}}'

heading "Consignments end to end, wrk; CPU in us per call"
printf '%-34s %5s %9s %9s %9s %12s %12s %12s %12s\n' "" conns calls/s p50 p99 "CPU gateway" consignment vessel user
new=$bin
for bin in $old "$new"; do
    label=$([ "$bin" = "$new" ] || echo "old: ")
    # Callers that wait for each answer load as much as there is to have, and a refusal would be no booking.
    OVERLOAD_CONTROL=off start_all "sqlite:$work/${label:+old-}booked.db"
    # Room for all that is booked here.
    ask "$gateway_port" vessel VesselService.Create '{"name":"Bench","capacity":2147483647,"max_weight":2147483647,"available":true}' \
        "$token" >/dev/null
    services=("$gateway_pid" "$consignment_pid" "$vessel_pid" "$user_pid")
    TOKEN=$token http "$gateway_port" 64 1 /rpc "$book_body"
    TOKEN=$token measure "${label}ConsignmentService.Create" "$gateway_port" 64 /rpc "$book_body" "${services[@]}"
    TOKEN=$token measure "${label}ConsignmentService.Create" "$gateway_port" 1 /rpc "$book_body" "${services[@]}"
    stop_all_services
done
bin=$new

heading "Pages of 100, from the oldest on and from the middle; CPU in us per call"
printf '%-34s %5s %9s %9s %9s %12s %12s\n' "" conns calls/s p50 p99 "CPU gateway" consignment
for count in 1000 "$consignments_max"; do
    # The service makes the schema; the rows are put in behind its back, as a million bookings would take minutes.
    start_all "sqlite:$work/pages-$count.db"
    stop_all_services
    # People see what is theirs: the rows are those of the first start's user, whose token stays good.
    owner=$token
    middle=$(python3 "$root/Benchmarks/fill_consignments.py" "$work/pages-$count.db" "$count" "$owner")
    OVERLOAD_CONTROL=off start_all "sqlite:$work/pages-$count.db"
    token=$owner
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
