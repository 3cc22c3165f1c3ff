#!/bin/sh
# Regenerates Sources/Shared/Contracts/Generated from Protos. With --check, changes nothing and fails when it is stale.
set -eu
cd "$(dirname "$0")/.."

out=Sources/Shared/Contracts/Generated
command -v protoc >/dev/null || { echo "proto: protoc is missing; install it with: apt-get install protobuf-compiler" >&2; exit 1; }
swift build --product protoc-gen-swift >&2
plugin=$(swift build --show-bin-path)/protoc-gen-swift

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
# A signal alone would end dash without the trap above.
trap 'exit 130' INT
trap 'exit 143' TERM HUP
protoc --plugin=protoc-gen-swift="$plugin" --proto_path=Protos \
    --swift_out="$fresh" --swift_opt=Visibility=Public Protos/*.proto

if [ "${1:-}" = "--check" ]; then
    diff -r "$fresh" "$out" >/dev/null || { echo "proto: $out is stale; run: make proto" >&2; exit 1; }
    echo "proto: generated code is fresh"
else
    mkdir -p "$out"
    rm -f "$out"/*.pb.swift
    cp "$fresh"/*.pb.swift "$out"/
    echo "proto: wrote $(ls "$out" | wc -l) files to $out"
fi
