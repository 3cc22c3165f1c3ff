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
trap end_children EXIT
trap 'exit 143' TERM HUP
trap 'exit 130' INT

Scripts/install.sh test
export SHIPPY_TEST_VENV="$venv"

say "building"
swift build --build-tests
say "running the tests"
if [ -n "${FILTER:-}" ]; then
    swift test --skip-build --filter "$FILTER"
else
    swift test --skip-build
fi || fail "some tests failed; look for ✘ above. One suite alone: make test FILTER=NameOfSuite"
say "all tests passed"
