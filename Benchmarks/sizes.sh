# Sizes of the five programs on disk, and their memory at rest when all run together on embedded stores, as `make run` starts
# them. Sourced by run.sh.

# The most, by figure and program: stripped in MB (10^6 bytes, as Scripts/images.sh counts), resident in MiB (2^20 bytes), a
# tenth above what was measured. The run fails with what is above. The aim for all together is 80 MiB resident.
declare -A sizes_max=(
    [stripped-vessel]=30 [resident-vessel]=22.5
    [stripped-email]=30 [resident-email]=26.5
    [stripped-user]=30 [resident-user]=27.5
    [stripped-consignment]=30 [resident-consignment]=23.5
    [stripped-gateway]=30 [resident-gateway]=18
    [resident-sum]=115
)

# In the order of their start: a service comes after those that it calls.
sizes_programs=(vessel email user consignment gateway)
# How long all may take to be ready.
sizes_ready_seconds=60
# At rest: their resident memory together changes by no more than rest_kib over rest_readings, four in a second.
rest_kib=100
rest_readings=8
rest_seconds=30

need strip binutils
need nm binutils
need readelf binutils
need ldd libc-bin
sizes=$work/sizes
mkdir -p "$sizes"
sizes_above=()

# program_file NAME: the path of its program.
program_file() {
    case $1 in
        gateway) echo "$bin/shippy-api-gateway" ;;
        *) echo "$bin/shippy-$1-service" ;;
    esac
}

# bound_size FIGURE NAME VALUE UNIT: remembers what is above its limit.
bound_size() {
    local max=${sizes_max[$1-$2]}
    awk -v value="$3" -v max="$max" 'BEGIN { exit !(value > max) }' || return 0
    sizes_above+=("$2: $3 $4 $1; the limit is $max")
}

megabytes() { awk -v bytes="$(stat -c %s "$1")" 'BEGIN { printf "%.1f", bytes / 1000000 }'; }

mebibytes() { awk -v kib="$1" 'BEGIN { printf "%.1f", kib / 1024 }'; }

# --- Files ----------------------------------------------------------------------------------------------------------

# direct_libraries FILE: the names of the shared libraries that it names itself.
direct_libraries() { readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p'; }

# count_libraries FILE: how many shared libraries its start loads, with those that libraries need. The kernel's page of code
# (vdso) is no file; the dynamic loader is one.
count_libraries() {
    ldd "$1" >"$sizes/ldd" 2>&1 || { echo "bench: ldd cannot read $1:" >&2; cat "$sizes/ldd" >&2; exit 1; }
    if grep 'not found' "$sizes/ldd" >&2; then
        echo "bench: $1 needs libraries that are missing" >&2
        exit 1
    fi
    awk '/\.so/ && !/vdso/ { count++ } END { print count + 0 }' "$sizes/ldd"
}

# foundation_in FILE: "shared" if it needs a shared library of Foundation; otherwise what is linked in: "whole",
# "Essentials", "none", or "unknown" if the file has no symbols.
#
# The descriptor of a type is defined by its own module alone. Other symbols that begin with the module's name are also
# in programs that extend or specialize its types. A name without further digits is of a type on the top level.
foundation_in() {
    if direct_libraries "$1" | awk '/^lib_?Foundation/ { found = 1 } END { exit !found }'; then
        echo shared
        return
    fi
    nm --defined-only "$1" 2>/dev/null | awk '
        $3 ~ /^\$s10Foundation[0-9]+[A-Za-z_]+[CVO]Mn$/ { whole = 1 }
        $3 ~ /^\$s20FoundationEssentials[0-9]+[A-Za-z_]+[CVO]Mn$/ { essentials = 1 }
        END { print NR == 0 ? "unknown" : whole ? "whole" : essentials ? "Essentials" : "none" }'
}

declare -A sizes_built sizes_stripped sizes_libraries sizes_foundation
for name in "${sizes_programs[@]}"; do
    file=$(program_file "$name")
    [ -x "$file" ] || { echo "bench: $file is missing; build it with Scripts/release.sh" >&2; exit 1; }
    strip -o "$sizes/stripped" "$file"
    sizes_built[$name]=$(megabytes "$file")
    sizes_stripped[$name]=$(megabytes "$sizes/stripped")
    sizes_libraries[$name]=$(count_libraries "$file")
    sizes_foundation[$name]=$(foundation_in "$file")
done
rm "$sizes/stripped"

# --- Start ----------------------------------------------------------------------------------------------------------

# fail_start WHAT: ends the run, with the ends of all logs.
fail_start() {
    echo "bench: $1" >&2
    tail -n 5 "$work"/*.log >&2
    exit 1
}

# start_poller: asks the admin port of each program for /readyz until it is ready. Its log says "polling", and then for each
# program when the first answer came and when the first with status 200, in microseconds since 1970; sets poller_pid.
start_poller() {
    local name deadline=$((SECONDS + 10)) arguments=()
    for name in "${sizes_programs[@]}"; do arguments+=("$name=${sizes_admin[$name]}"); done
    cat >"$sizes/poll.py" <<'PY'
import socket, sys, threading, time

deadline = time.monotonic() + float(sys.argv[1])
late = []

def status(port):
    """Of /readyz; None while nothing answers."""
    try:
        # From another address: TCP connects a socket to itself when its own port happens to be the one it connects to.
        with socket.create_connection(("127.0.0.1", port), 5, ("127.0.0.2", 0)) as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
            with connection.makefile("rb") as stream:
                words = stream.readline().split()
            return words[1] if len(words) > 1 else None
    except OSError:
        return None

def poll(name, port):
    answered = None
    while time.monotonic() < deadline:
        answer = status(port)
        now = int(time.time() * 1e6)
        if answer:
            answered = answered or now
        if answer == b"200":
            sys.stdout.write(f"{name} {answered} {now}\n")
            return
        # Rarely, once it answers: requests cost the program time while it starts.
        time.sleep(0.01 if answer else 0.002)
    late.append(name)

threads = []
for argument in sys.argv[2:]:
    name, port = argument.split("=")
    threads.append(threading.Thread(target=poll, args=(name, int(port))))
print("polling", flush=True)
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if late:
    sys.exit(f"not ready after {sys.argv[1]} s: {', '.join(late)}")
PY
    start poller python3 "$sizes/poll.py" "$sizes_ready_seconds" "${arguments[@]}"
    poller_pid=$started
    until grep -qx polling "$work/poller.log"; do
        if ! kill -0 "$poller_pid" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            fail_start "what polls /readyz does not start"
        fi
        sleep 0.02
    done
}

# start_as_make_run: all programs, with the flags of Scripts/run.sh; sets the pids that stop_all_services ends, and
# sizes_from, when each was started, in microseconds since 1970.
start_as_make_run() {
    local name port command
    # All addresses first: services call each other both ways.
    for name in "${sizes_programs[@]}"; do
        declare -g "${name}_port=$(free_port)"
        sizes_admin[$name]=$(free_port)
    done
    # shellcheck disable=SC2154 # set by declare
    export VESSEL_ADDRESS="127.0.0.1:$vessel_port" USER_ADDRESS="127.0.0.1:$user_port" \
        EMAIL_ADDRESS="127.0.0.1:$email_port" CONSIGNMENT_ADDRESS="127.0.0.1:$consignment_port"
    start_poller
    for name in "${sizes_programs[@]}"; do
        port=${name}_port
        command=("$(program_file "$name")" --admin_address="127.0.0.1:${sizes_admin[$name]}")
        case $name in
            gateway) command+=(--address="127.0.0.1:${!port}" --static="$root/ui") ;;
            *) command=(env DB_HOST="sqlite:$sizes/$name.db" "${command[@]}" --server_address="127.0.0.1:${!port}") ;;
        esac
        [ "$name" != vessel ] || command+=(--seed)
        sizes_from[$name]=${EPOCHREALTIME/./}
        start "$name" "${command[@]}"
        declare -g "${name}_pid=$started"
    done
}

# wait_all_ready: until the poller has seen all ready; fails at once when a program ends.
wait_all_ready() {
    local name pid ended status=0 pids=("$poller_pid")
    for name in "${sizes_programs[@]}"; do
        pid=${name}_pid
        pids+=("${!pid}")
    done
    wait -n -p ended "${pids[@]}" || status=$?
    [ "${ended:-}" != "$poller_pid" ] || [ "$status" != 0 ] || return 0
    for name in "${sizes_programs[@]}"; do
        pid=${name}_pid
        [ "${!pid}" != "${ended:-}" ] || fail_start "$name ended with status $status"
    done
    fail_start "a program is not ready"
}

# --- Memory ---------------------------------------------------------------------------------------------------------

# memory_kib FIELD NAME...: VmRSS or RssAnon of these programs together.
memory_kib() {
    local field=$1 name pid files=()
    shift
    for name in "$@"; do
        pid=${name}_pid
        files+=("/proc/${!pid}/status")
    done
    awk -v field="$field:" '$1 == field { sum += $2 } END { print sum + 0 }' "${files[@]}"
}

# wait_rest: until their memory no longer changes.
wait_rest() {
    local deadline=$((SECONDS + rest_seconds)) before now readings=0
    before=$(memory_kib VmRSS "${sizes_programs[@]}")
    while [ "$readings" -lt "$rest_readings" ]; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "bench: sizes: memory still changes $rest_seconds s after the start" >&2
            return
        fi
        sleep 0.25
        now=$(memory_kib VmRSS "${sizes_programs[@]}")
        readings=$((readings + 1))
        if [ $((now - before)) -gt "$rest_kib" ] || [ $((before - now)) -gt "$rest_kib" ]; then
            before=$now
            readings=0
        fi
    done
}

declare -A sizes_admin sizes_from
start_as_make_run
wait_all_ready
wait_rest

heading "Sizes on disk in MB, time from start to /readyz in ms, memory at rest in MiB; all five started together"
sizes_row='%-12s %7s %9s %10s %-11s %8s %7s %9s %10s\n'
# shellcheck disable=SC2059 # the format of all rows
printf "$sizes_row" program built stripped libraries Foundation answers ready resident anonymous
for name in "${sizes_programs[@]}"; do
    read -r answered ready < <(awk -v name="$name" -v from="${sizes_from[$name]}" \
        '$1 == name { printf "%d %d\n", ($2 - from) / 1000, ($3 - from) / 1000 }' "$work/poller.log")
    resident=$(mebibytes "$(memory_kib VmRSS "$name")")
    # shellcheck disable=SC2059
    printf "$sizes_row" "$name" "${sizes_built[$name]}" "${sizes_stripped[$name]}" "${sizes_libraries[$name]}" \
        "${sizes_foundation[$name]}" "$answered" "$ready" "$resident" "$(mebibytes "$(memory_kib RssAnon "$name")")"
    bound_size stripped "$name" "${sizes_stripped[$name]}" MB
    bound_size resident "$name" "$resident" MiB
done
resident=$(mebibytes "$(memory_kib VmRSS "${sizes_programs[@]}")")
# shellcheck disable=SC2059
printf "$sizes_row" sum "" "" "" "" "" "" "$resident" "$(mebibytes "$(memory_kib RssAnon "${sizes_programs[@]}")")"
bound_size resident sum "$resident" MiB
stop_all_services

echo "answers: the first answer, of any status; ready: the first with status 200"
echo "Foundation: shared, by the libraries that the file names; otherwise what is linked in, by descriptors of its types (nm)"
for name in "${sizes_programs[@]}"; do
    printf 'libraries that %s names: %s\n' "$name" "$(direct_libraries "$(program_file "$name")" | sort | paste -sd ' ')"
done

for line in "${sizes_above[@]}"; do
    echo "bench: sizes: $line" >&2
    above_limit=yes
done
