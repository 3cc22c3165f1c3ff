#!/usr/bin/env bash
# Measures Shippy on loopback, everything on this machine, load included: `make bench`.
#
# Figures of one run compare with each other; figures of different runs or machines do not. To measure peers in the same
# run, name a folder that holds them: PEERS=DIR, with h2floor (a gRPC echo server: h2floor PORT), vessel and gateway
# (vessel -addr HOST:PORT, gateway -addr HOST:PORT -backend HOST:PORT -mode std). What is not there is left out.
#
# To measure another version in the same run, name the folder of its programs: OLD=DIR. It is measured before this one, where
# it can do what is measured: searches, filling, bookings end to end, and, if its store of vessels is laid out like this one's,
# bookings in it and a fleet that is nearly full.
#
# SECONDS_EACH=5 (how long each HTTP load runs), VESSELS_MAX=1000000 and CONSIGNMENTS_MAX=1000000 (the larger of the two
# stores), PARTS="vessels counts sizes codecs users consignments observability shedding overload" (what to measure;
# codecs.sh, shedding.sh and overload.sh list their own variables), OBSERVABILITY_ROUNDS=7 (loads with traces and metrics, and
# without, in turn).
#
# Exits with 1 after all parts if a count for each request (counts.sh), or a size or the memory at rest (sizes.sh), is above
# its limit.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

seconds=${SECONDS_EACH:-5}
vessels_max=${VESSELS_MAX:-1000000}
consignments_max=${CONSIGNMENTS_MAX:-1000000}
observability_rounds=${OBSERVABILITY_ROUNDS:-7}
observability_seconds=${SECONDS_EACH:-4}
peers=${PEERS:-}
old=${OLD:-}
need wrk wrk
need h2load nghttp2-client
need curl curl
need python3 python3

echo "machine: $(nproc) cores, $(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo), $(uname -sr), $(date -u +%F)"
# Set by parts that have limits.
above_limit=
for part in ${PARTS:-vessels counts sizes codecs users consignments observability shedding overload}; do
    [ -e "$root/Benchmarks/$part.sh" ] || { echo "bench: PARTS: there is no part '$part'" >&2; exit 1; }
    . "$root/Benchmarks/$part.sh"
done
[ -z "$above_limit" ]
