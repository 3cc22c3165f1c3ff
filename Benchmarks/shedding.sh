# The cost of load shedding without overload: nothing may be refused, and throughput must stay the same. Sourced by run.sh.
#
# Two gateways in front of one vessel service, with --overload_control on and off, in turn. SHEDDING_ROUNDS=3 turns of
# SECONDS_EACH each, for each number of CALLERS="4 16 64" that wait for each answer, and for each number of BURNERS="0 4",
# which are busy-looping processes.

find_body='{"service":"vessel","method":"VesselService.FindAvailable","request":{"capacity":3,"max_weight":55000}}'
create_body='{"service":"vessel","method":"VesselService.Create","request":{"name":"test","capacity":200,"max_weight":100000,"available":true}}'
shedding_rounds=${SHEDDING_ROUNDS:-3}
vessel_port=$(free_port)
start vessel env DB_HOST="sqlite:$work/shedding.db" "$bin/shippy-vessel-service" --server_address="127.0.0.1:$vessel_port" \
    --admin_address=127.0.0.1:0 --seed --log_level=warning
shedding_pids=("$started")
declare -A shedding_port
for control in on off; do
    shedding_port[$control]=$(free_port)
    start "gateway-$control" env VESSEL_ADDRESS="127.0.0.1:$vessel_port" "$bin/shippy-api-gateway" --services=vessel \
        --overload_control="$control" --address="127.0.0.1:${shedding_port[$control]}" --admin_address=127.0.0.1:0 \
        --log_level=warning
    shedding_pids+=("$started")
    wait_url "http://127.0.0.1:${shedding_port[$control]}/readyz"
    MAY_REFUSE=1 http "${shedding_port[$control]}" 16 1 /rpc "$find_body"
done

heading "Callers that wait for each answer, load shedding on against off; goals: none refused, ratio at least 0.95"
printf '%-16s %8s %8s %10s %10s %8s %8s %10s %10s\n' "" callers burners "on, /s" "off, /s" ratio refused "p99 on" "p99 off"
for method in FindAvailable Create; do
    body=$find_body
    [ "$method" = Create ] && body=$create_body
    for burners in ${BURNERS:-0 4}; do
        burn "$burners"
        for callers in ${CALLERS:-4 16 64}; do
            declare -A answers=([on]=0 [off]=0) p99_of=([on]=- [off]=-)
            refused_on=0
            for ((round = 0; round < shedding_rounds; round++)); do
                # They take turns in going first: the store grows, and the machine's speed varies.
                order="on off"
                ((round % 2)) && order="off on"
                for control in $order; do
                    MAY_REFUSE=1 http "${shedding_port[$control]}" "$callers" "$seconds" /rpc "$body"
                    answers[$control]=$((answers[$control] + calls - ${refused:-0}))
                    p99_of[$control]=$p99
                    [ "$control" = off ] || refused_on=$((refused_on + ${refused:-0}))
                done
            done
            time=$((shedding_rounds * seconds))
            printf '%-16s %8s %8s %10s %10s %8s %8s %10s %10s\n' "$method" "$callers" "$burners" \
                $((answers[on] / time)) $((answers[off] / time)) "$(ratio "${answers[on]}" "${answers[off]}")" \
                "$refused_on" "${p99_of[on]}" "${p99_of[off]}"
        done
        stop_burning
    done
done
kill "${shedding_pids[@]}"
wait "${shedding_pids[@]}" 2>/dev/null || true
