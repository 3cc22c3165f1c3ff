#!/bin/sh
# Puts an empty source file where Package.swift wants sources, so that the dependencies can be built before our own
# code is there (see Dockerfile). With --missing only where there is nothing yet: a build of the programs needs no
# tests, but their folders.
set -eu
cd "$(dirname "$0")/.."

# kind and folder of each target that has Swift sources
awk '
    /^let package/ { exit }
    # A call begins: what it makes, and how many texts of it were read.
    /^    \.?[A-Za-z]+\(/ {
        kind = $0; sub(/\(.*/, "", kind); gsub(/[ .]/, "", kind); texts = 0
    }
    kind ~ /arget$/ && match($0, /path: "[^"]*"/) {
        path = substr($0, RSTART, RLENGTH); gsub(/.*path: "|"$/, "", path)
        print kind, path
    }
    kind == "module" || kind == "tests" || kind == "service" {
        rest = $0
        while (match(rest, /"[^"]*"/)) {
            text = substr(rest, RSTART + 1, RLENGTH - 2); rest = substr(rest, RSTART + RLENGTH); texts += 1
            if (kind == "tests" && texts == 1) print "testTarget", "Tests/" text
            if (kind == "service" && texts == 1)
                print "executableTarget", ($0 ~ /in: "Tests"/ ? "Tests/" : "Sources/") text
            if (kind == "module" && texts == 2) print "target", "Sources/Shared/" text
        }
    }
' Package.swift | while read -r kind folder; do
    if [ "${1:-}" = --missing ] && [ -d "$folder" ]; then continue; fi
    mkdir -p "$folder"
    case $kind in
        executableTarget) : >"$folder/main.swift" ;;
        *) : >"$folder/Empty.swift" ;;
    esac
done
