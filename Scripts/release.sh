#!/bin/sh
# Builds the named products, or all programs, as people run them.
#
# Swift's own libraries are linked in: the programs start sooner and use less memory and processor time than with shared
# ones, and a container needs no Swift. lld packs the relocations, which the start would read in full (glibc 2.36).
set -eu
cd "$(dirname "$0")/.."

# shellcheck disable=SC2046 # names are words
[ $# -gt 0 ] || set -- \
    $(tr '\n' ' ' <Package.swift | grep -oE ' service\( *"[A-Za-z0-9]+Service"' |
        sed 's/.*"\(.*\)Service"/shippy-\1-service/' | tr '[:upper:]' '[:lower:]') \
    shippy-api-gateway rpc-benchmark codec-benchmark load-generator
for product in "$@"; do
    swift build -c release --static-swift-stdlib -Xswiftc -use-ld=lld \
        -Xlinker -z -Xlinker pack-relative-relocs --product "$product"
done
