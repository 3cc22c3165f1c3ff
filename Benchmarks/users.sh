# Users end to end, on SQLite and on PostgreSQL, and what a flood of guesses does to everybody else. Sourced by run.sh.

sign_up_body='{"service":"user","method":"UserService.Create","request":{"name":"Bench","email":"u{n}@example.com","password":"correct horse"}}'
log_in_body='{"service":"user","method":"UserService.Auth","request":{"email":"bench@example.com","password":"correct horse"}}'
guess_body='{"service":"user","method":"UserService.Auth","request":{"email":"g{n}@example.com","password":"a wrong guess"}}'

# start_users STORE CONTROL: email service, user service and gateway; sets user_pid, gateway_pid, gateway_port. CONTROL
# of overload is off where callers that wait for each answer load as much as there is to have, and on where it is measured.
start_users() {
    local email_port user_port
    email_port=$(free_port)
    start email env OVERLOAD_CONTROL="$2" DB_HOST="sqlite:$work/email.db" "$bin/shippy-email-service" \
        --server_address="127.0.0.1:$email_port" --admin_address=127.0.0.1:0 --log_level=error
    email_pid=$started
    user_port=$(free_port)
    start user env OVERLOAD_CONTROL="$2" DB_HOST="$1" EMAIL_ADDRESS="127.0.0.1:$email_port" \
        JWT_SECRET=a-secret-for-benchmarks-and-nothing-else \
        "$bin/shippy-user-service" --server_address="127.0.0.1:$user_port" --admin_address=127.0.0.1:0 --log_level=error
    user_pid=$started
    gateway_port=$(free_port)
    start gateway env OVERLOAD_CONTROL="$2" USER_ADDRESS="127.0.0.1:$user_port" "$bin/shippy-api-gateway" --services=user \
        --address="127.0.0.1:$gateway_port" --admin_address=127.0.0.1:0 --log_level=error
    gateway_pid=$started
    wait_url "http://127.0.0.1:$gateway_port/readyz"
}

stop_users() {
    kill "$gateway_pid" "$user_pid" "$email_pid"
    wait "$gateway_pid" "$user_pid" "$email_pid" 2>/dev/null || true
}

# guess PORT SECONDS: 48 clients that guess, each time at another account; what became of it is in $work/guess.out.
guess() {
    BODY=$guess_body wrk -t 2 -c 48 -d "$2s" --timeout 10s -s "$root/Benchmarks/post.lua" "http://127.0.0.1:$1/rpc" \
        >"$work/guess.out" 2>&1
}

heading "Users, wrk; CPU in us per call (bcrypt of cost 10 is most of Create and Auth)"
printf '%-34s %5s %9s %9s %9s %12s %12s\n' "" conns calls/s p50 p99 "CPU gateway" "CPU user"
start_postgres
for store in "SQLite sqlite:$work/users.db" "PostgreSQL $postgres_uri"; do
    name=${store%% *}
    start_users "${store#* }" off
    token=$(sign_up "$gateway_port" bench@example.com)
    validate_body='{"service":"user","method":"UserService.ValidateToken","request":{"token":"'$token'"}}'
    measure "Create, $name" "$gateway_port" 8 /rpc "$sign_up_body" "$gateway_pid" "$user_pid"
    measure "Auth, $name" "$gateway_port" 8 /rpc "$log_in_body" "$gateway_pid" "$user_pid"
    http "$gateway_port" 64 1 /rpc "$validate_body"
    measure "ValidateToken, $name" "$gateway_port" 64 /rpc "$validate_body" "$gateway_pid" "$user_pid"
    # One at a time: what a person waits.
    measure "ValidateToken, $name" "$gateway_port" 1 /rpc "$validate_body" "$gateway_pid" "$user_pid"
    stop_users
    start_users "${store#* }" on
    guess "$gateway_port" $((seconds + 3)) &
    guessing=$!
    sleep 1
    MAY_REFUSE=1 measure "ValidateToken, 48 guess, $name" "$gateway_port" 1 /rpc "$validate_body" "$gateway_pid" "$user_pid"
    [ -z "$refused" ] || echo "of the checks beside them $refused were refused"
    wait "$guessing"
    awk '/requests in/ { calls = $1 } /Socket errors/ { split($0, e, "timeout "); late = e[2] }
        END { printf "of the guesses %d were answered or refused, %d never\n", calls, late }' "$work/guess.out"
    stop_users
done
kill -INT "$postgres_pid"
wait "$postgres_pid" 2>/dev/null || true
