#!/bin/sh
# Builds and runs all tests, or those that FILTER names. The tests start and stop the servers they need.
set -eu
cd "$(dirname "$0")/.."
name=test
. Scripts/lib.sh

# A net under the tests' own clean-up, for children of this script only.
end_children() {
    for child in $(cat "/proc/$$/task/$$/children" 2>/dev/null); do
        kill -TERM "$child" 2>/dev/null || true
    done
}
results=
trap 'end_children; rm -rf "$results"' EXIT
trap 'exit 143' TERM HUP
trap 'exit 130' INT

Scripts/install.sh test
export SHIPPY_TEST_VENV="$venv"

# What needs no build: the models of the protocols, and the checker of bookings over a model with planted faults.
plain="Models Checker"
run_plain() { # name
    case "$1" in
    Models) "$venv/bin/python3" Tests/Models/check.py ;;
    Checker) python3 -B Tests/Checker/test_checker.py ;;
    *) fail "FILTER: name Models or Checker alone" ;;
    esac </dev/null
}

case " $plain " in *" ${FILTER:-} "*)
    say "running $FILTER"
    run_plain "$FILTER" || fail "$FILTER fails; see above"
    say "all tests passed"
    exit 0
    ;;
esac

# The models only need a processor: they run beside the build, on what it leaves.
results=$(mktemp -d)
if [ -z "${FILTER:-}" ]; then
    (
        # Its own number, before it starts anything: children inherit the value.
        renice -n 10 "$(exec sh -c 'echo $PPID')" >/dev/null 2>&1 || true
        run_plain Models >"$results/models.log" 2>&1 && touch "$results/models.passed"
    ) &
fi

say "building"
swift build --build-tests
# Many tests run servers and strangers' programs of their own and watch the clock. All at once they would starve each
# other on a small machine, so suites go one after the other, and each runs few tests at a time.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH="${TEST_WIDTH:-4}"
suites="TidyTests TracesTests RPCTests TranscodingTests HTTPTests StorageTests RuntimeTests VesselServiceTests \
    UserServiceTests ConsignmentServiceTests EmailServiceTests APIGatewayTests LoadGeneratorTests ShippyCLITests EndToEndTests"
filters=${FILTER:-$(printf '^%s[.] ' $suites)}
failed=
if [ -z "${FILTER:-}" ]; then
    wait
    say "ran Models"
    cat "$results/models.log"
    [ -e "$results/models.passed" ] || failed="$failed Models"
    say "running Checker"
    run_plain Checker || failed="$failed Checker"
fi
for filter in $filters; do
    say "running $filter"
    # A browser needs the machine for itself.
    swift test --skip-build --disable-xctest --filter "$filter" --skip PageWalkTests || failed="$failed $filter"
done
case "${FILTER:-Page}" in *Page* | *EndToEnd*)
    say "walking through the page in a browser"
    swift test --skip-build --disable-xctest --filter '^EndToEndTests[.]PageWalkTests' || failed="$failed PageWalkTests"
    ;;
esac
[ -z "$failed" ] || fail "these failed:$failed; look for ✘ above. One alone: make test FILTER=NameOfSuite"
say "all tests passed"
