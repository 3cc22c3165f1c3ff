#!/bin/sh
# Deploys a tag, takes the README's tour as a smoke test, and puts back what ran before if either fails: OVERLAY=gke TAG=…
# REGISTRY=… deliver.sh. For the workflow, after somebody approved; it asks nothing.
#
# Only Deployments are put back: what a database has stored stays, and its own pods are not rolled by a tag of ours.
set -eu
cd "$(dirname "$0")/.."
name=deliver
. Scripts/lib.sh

# The two steps; tests put others in their places.
deploy=${DEPLOY:-Scripts/deploy.sh}
tour=${TOUR:-python3 -B Scripts/containers/tour.py --in-use}

revision_of() { # deployment
    kubectl --namespace shippy get "deployment/$1" --output \
        'jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}'
}

put_back() { # why
    say "$1; putting back what ran before" >&2
    status=0
    for deployment in $before; do
        revision=$(eval "echo \$revision_$(echo "$deployment" | tr - _)")
        if [ "$(revision_of "$deployment")" = "$revision" ]; then continue; fi
        kubectl --namespace shippy rollout undo "deployment/$deployment" --to-revision="$revision" || status=1
    done
    for deployment in $before; do
        kubectl --namespace shippy rollout status --timeout="${ROLLOUT_TIMEOUT:-10m}" "deployment/$deployment" || status=1
    done
    [ -n "$before" ] || fail "nothing ran before; what was deployed is left as it is, to look at"
    [ $status = 0 ] || fail "not all could be put back; see: kubectl -n shippy get deployments,pods"
    fail "what ran before runs again"
}

before=$(kubectl --namespace shippy get deployments --output 'jsonpath={.items[*].metadata.name}')
for deployment in $before; do
    eval "revision_$(echo "$deployment" | tr - _)=$(revision_of "$deployment")"
done

$deploy || put_back "the rollout did not get through"

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
