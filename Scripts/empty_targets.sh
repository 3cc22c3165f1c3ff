#!/bin/sh
# Puts an empty source file where Package.swift wants sources, so that the dependencies can be built before our own
# code is there (see Dockerfile). With --missing only where there is nothing yet: a build of the programs needs no
# tests, but their folders.
set -eu
cd "$(dirname "$0")/.."

# kind and folder of each target that has Swift sources
awk '
    /^let package/ { exit }
    match($0, /^ *service\("[A-Za-z]+"/) {
        name = substr($0, RSTART, RLENGTH); gsub(/.*\("|"$/, "", name)
        print "executableTarget", ($0 ~ /in: "Tests"/ ? "Tests/" : "Sources/") name
        kind = ""
    }
    /\.(target|executableTarget|testTarget|systemLibrary)\(/ {
        kind = $0; sub(/\(.*/, "", kind); sub(/.*\./, "", kind); waiting = 1
    }
    waiting && match($0, /name: "[^"]*"/) {
        waiting = 0
        if (kind == "testTarget") print kind, "Tests/" substr($0, RSTART + 7, RLENGTH - 8)
    }
    kind ~ /arget$/ && match($0, /path: "[^"]*"/) {
        path = substr($0, RSTART, RLENGTH); gsub(/.*path: "|"$/, "", path)
        print kind, path
    }
' Package.swift | while read -r kind folder; do
    if [ "${1:-}" = --missing ] && [ -d "$folder" ]; then continue; fi
    mkdir -p "$folder"
    case $kind in
        executableTarget) : >"$folder/main.swift" ;;
        *) : >"$folder/Empty.swift" ;;
    esac
done
