#!/bin/sh
# Takes the last deploy of an overlay back: every Deployment and StatefulSet that it changed runs again what ran before.
# OVERLAY=gke undo.sh. Other objects, such as NetworkPolicies, stay as they are.
set -eu
cd "$(dirname "$0")/.."
name=undo
. Scripts/lib.sh

[ -n "${OVERLAY:-}" ] || fail "say which overlay was deployed: make undo OVERLAY=local"
command -v python3 >/dev/null || fail "python3 is missing"
SCRIPT=$name exec python3 Scripts/rollout.py undo "$OVERLAY"
