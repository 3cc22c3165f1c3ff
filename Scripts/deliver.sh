#!/bin/sh
# Deploys a tag, takes the README's tour as a smoke test, and puts back what ran before if either fails: OVERLAY=gke TAG=…
# REGISTRY=… deliver.sh. For the workflow, after somebody approved; it asks nothing.
#
# What a database has stored stays, so a version must be able to read what the next one wrote.
set -eu
cd "$(dirname "$0")/.."
name=deliver
. Scripts/lib.sh

# The steps; tests put others in their places.
deploy=${DEPLOY:-Scripts/deploy.sh}
undo=${UNDO:-Scripts/undo.sh}
tour=${TOUR:-python3 -B Scripts/containers/tour.py --in-use}

put_back() { # why
    say "$1; putting back what ran before" >&2
    $undo || fail "not all could be put back; see: kubectl -n shippy get deployments,statefulsets,pods"
    fail "what ran before runs again"
}

status=0
$deploy || status=$?
case $status in
    0) ;;
    3) put_back "the rollout did not get through" ;;
    # To undo now would take back the deploy before.
    *) fail "nothing was changed" ;;
esac

say "taking the README's tour"
# The tour calls localhost:8080.
kubectl --namespace shippy port-forward service/api 8080:80 >/dev/null &
forward=$!
trap 'kill $forward 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
tries=0
until curl -sf localhost:8080/readyz >/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 60 ] || put_back "the gateway is not ready"
    sleep 1
done
$tour || put_back "the tour went wrong"
say "all well"
