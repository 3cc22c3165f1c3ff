#!/bin/sh
# Rehearses a restore now: restores the newest backup on the cluster's disk into servers that live in the rehearsal's pod alone,
# and prints how much there is in it. rehearse.sh
set -eu
cd "$(dirname "$0")/.."
name=rehearse
. Scripts/lib.sh

in_shippy() { kubectl --namespace shippy "$@"; }
job=restore-rehearsal-by-hand
in_shippy delete "job/$job" --ignore-not-found
in_shippy create job "$job" --from=cronjob/restore-rehearsal
# Complete or failed, whichever comes first.
waited=0
until state=$(in_shippy get job "$job" --output='jsonpath={.status.conditions[?(@.status=="True")].type}') &&
    case $state in *Complete* | *Failed*) true ;; *) false ;; esac; do
    [ "$waited" -lt "${REHEARSAL_SECONDS:-3600}" ] || fail "not done after an hour; kubectl -n shippy describe job $job"
    sleep "${POLL_SECONDS:-5}"
    waited=$((waited + 5))
done
in_shippy logs "job/$job" --all-containers --prefix
case $state in
    *Complete*) say "the newest backup can be restored" ;;
    *) fail "it can't be restored; see above" ;;
esac
