#!/bin/sh
# Black-box fuzzing of the programs, MINUTES per part: `make fuzz`. Tests/Fuzz/fuzz.py lists its variables.
set -eu
cd "$(dirname "$0")/.."
name=fuzz
. Scripts/lib.sh

# Ends this script's children in case the fuzzer did not.
end_children() {
    for child in $(cat "/proc/$$/task/$$/children" 2>/dev/null); do
        kill -TERM "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    done
}
trap end_children EXIT
trap 'exit 143' TERM HUP
trap 'exit 130' INT

Scripts/install.sh run
command -v python3 >/dev/null || Scripts/install.sh test
if [ -z "${SHIPPY_PROGRAMS:-}" ]; then
    say "building"
    swift build --build-tests
fi
# In the background with wait, so that traps run at once.
if [ -z "${REPLAY:-}${FROM:-}${PARTS:-}" ]; then
    say "seeing that planted faults are found"
    python3 -B Tests/Fuzz/test_fuzz.py </dev/null &
    wait $! || fail "the fuzzer does not find what it should"
fi
if [ -n "${REPLAY:-}${FROM:-}${PARTS:-}" ]; then
    python3 -B Tests/Fuzz/fuzz.py </dev/null &
    wait $!
    exit
fi
# Two at a time, each with programs of its own. Both report the seed that makes their inputs again.
SEED=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
export SEED
PARTS="rpc http1 upstream" python3 -B Tests/Fuzz/fuzz.py </dev/null &
first=$!
PARTS="http2-gateway http2-service protobuf" python3 -B Tests/Fuzz/fuzz.py </dev/null &
second=$!
failed=
wait $first || failed=yes
wait $second || failed=yes
[ -z "$failed" ] || fail "there are findings; see above"
