#!/bin/sh
# Parts programs from their symbols: split.sh PROGRAMS SYMBOLS FILE... The folder PROGRAMS gets a stripped copy of each
# FILE. SYMBOLS gets what was stripped, by build id, which is where debuggers look and Scripts/symbolicate.py does.
set -eu
programs=$1 symbols=$2
shift 2
mkdir -p "$programs"
for file in "$@"; do
    id=$(readelf --notes "$file" 2>/dev/null | sed -n 's/.*Build ID: //p')
    [ -n "$id" ] || { echo "split: $file has no build id" >&2; exit 1; }
    folder=$symbols/.build-id/$(printf %.2s "$id")
    mkdir -p "$folder"
    objcopy --only-keep-debug --compress-debug-sections=zlib "$file" "$folder/${id#??}.debug"
    strip -o "$programs/$(basename "$file")" "$file"
done
