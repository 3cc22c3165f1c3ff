#!/bin/sh
# What a scale-up, a killed container and a rolling update cost, measured with containers: several vessel services
# behind one name on podman's network, steady load through the gateway. Needs what try_containers.sh needs, and takes
# the same PREBUILT and KEEP.
set -eu
cd "$(dirname "$0")/.."
name=try-rollout
. Scripts/lib.sh

stop_containers() { "$python" Scripts/containers/rollout.py down; }
. Scripts/containers/lib.sh

"$python" Scripts/containers/rollout.py run || fail "see above"
say "all well"
