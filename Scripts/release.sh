#!/bin/sh
# Builds the named products, or all programs, as people run them.
#
# Swift's own libraries are linked in: the programs start sooner and use less memory and processor time than with shared
# ones, and a container needs no Swift. lld packs the relocations, which the start would read in full (glibc 2.36).
set -eu
cd "$(dirname "$0")/.."

# shellcheck disable=SC2046 # names are words
[ $# -gt 0 ] || set -- \
    $(sed -n 's/^    service("\([A-Za-z]*\)Service".*/shippy-\1-service/p' Package.swift | tr '[:upper:]' '[:lower:]') \
    shippy-api-gateway rpc-benchmark codec-benchmark load-generator
for product in "$@"; do
    swift build -c release --static-swift-stdlib -Xswiftc -use-ld=lld \
        -Xlinker -z -Xlinker pack-relative-relocs --product "$product"
done
