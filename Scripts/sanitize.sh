#!/bin/sh
# Runs the RPC and storage tests, or those that FILTER names, under the thread and the address sanitizer.
# Each has a build folder of its own, so that neither spoils the other or the usual one.
set -eu
cd "$(dirname "$0")/.."
name=sanitize
. Scripts/lib.sh

Scripts/install.sh test
export SHIPPY_TEST_VENV="$venv"
# Programs are several times slower under a sanitizer, and the tests watch the clock.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH="${TEST_WIDTH:-1}"
export TSAN_OPTIONS="suppressions=$PWD/Scripts/races.supp:print_suppressions=0"
export LSAN_OPTIONS="suppressions=$PWD/Scripts/leaks.supp:print_suppressions=0"
for sanitizer in thread address; do
    say "building and testing with the $sanitizer sanitizer (the first time takes some minutes)"
    # XCTest, which has no tests here, leaks at its end.
    swift test --disable-xctest --sanitize="$sanitizer" --scratch-path ".build/sanitize-$sanitizer" \
        --filter "${FILTER:-^(RPCTests|StorageTests)\\.}" || fail "the $sanitizer sanitizer or a test found something; see above"
done
say "nothing found"
