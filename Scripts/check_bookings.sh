#!/bin/sh
# Kills programs and databases under callers who book and cancel, for MINUTES, and checks what they were told:
# `make check-bookings`. docs/reliability.md says how; SEED=… makes the callers do the same again.
set -eu
cd "$(dirname "$0")/.."
name=check-bookings
. Scripts/lib.sh

Scripts/install.sh test
export SHIPPY_TEST_VENV="$venv"
if [ -z "${SHIPPY_PROGRAMS:-}" ]; then
    say "building"
    swift build --build-tests
fi
exec "$venv/bin/python3" -B Tests/Checker/run_programs.py --bin "${SHIPPY_PROGRAMS:-.build/debug}" --databases \
    --minutes "${MINUTES:-3}" ${SEED:+--seed "$SEED"} </dev/null
