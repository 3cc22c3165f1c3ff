#!/bin/sh
# Checks what a machine can check, the quick things first: scripts, format, warnings, generated code.
set -eu
cd "$(dirname "$0")/.."
name=lint
. Scripts/lib.sh

say "shell scripts"
for script in Scripts/*.sh Scripts/*/*.sh deployments/*.sh deployments/*/*/*.sh .ci/run Benchmarks/*.sh; do
    [ -e "$script" ] || continue
    case "$script $(head -n 1 "$script")" in
        Benchmarks/* | *bash*) bash -n "$script" ;;
        *) sh -n "$script" ;;
    esac || fail "$script has a syntax error"
done

say "format"
swift format lint --strict --parallel --recursive Sources Tests Benchmarks Package.swift ||
    fail "the format is not ours; run: make format"

Scripts/install.sh test

say "scripts about images and delivery"
for tests in Scripts/test_images.py Scripts/test_deliver.py; do
    python3 -B "$tests" || fail "$tests fails; see above"
done

say "build without warnings"
SHIPPY_STRICT=1 swift build --build-tests || fail "the build has errors or warnings"

say "generated code"
SHIPPY_STRICT=1 Scripts/proto.sh --check
say "all well"
