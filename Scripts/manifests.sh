#!/bin/sh
# Renders every overlay to .build/manifests and checks what comes out, and the alerts and the dashboard; breaks them on
# purpose first, to see that the checks see it. Tests the scripts that talk to a cluster. Needs kubectl, but no cluster.
set -eu
cd "$(dirname "$0")/.."
name=manifests
. Scripts/lib.sh

command -v promtool >/dev/null || Scripts/install.sh test
command -v kubectl >/dev/null || fail "kubectl is missing; get it from https://kubernetes.io/docs/tasks/tools"
python=${PYTHON:-$venv/bin/python3}
[ -x "$python" ] || Scripts/install.sh test

out=.build/manifests
rm -rf "$out"
mkdir -p "$out"
rendered=
for overlay in deployments/overlays/*/; do
    overlay=$(basename "$overlay")
    kubectl kustomize "deployments/overlays/$overlay" >"$out/$overlay.yaml" ||
        fail "the overlay $overlay does not render"
    rendered="$rendered $overlay=$out/$overlay.yaml"
done
"$python" Scripts/test_check_manifests.py "$out" || fail "a check does not see what it should"
# shellcheck disable=SC2086 # one word for each overlay
"$python" Scripts/check_manifests.py $rendered || fail "the manifests break rules; see above"
"$python" Scripts/check_manifests.py --schema-only $(printf 'series=%s ' deployments/series/*.yaml) \
    registry=deployments/registry.yaml || fail "the series' manifests, or the registry's, are not valid"
"$python" -B Scripts/test_series.py --quiet || fail "deployments/series is not what the series has"
"$python" Scripts/test_check_monitoring.py || fail "a check does not see what it should"
"$python" Scripts/check_monitoring.py || fail "alerts, dashboard and docs/operations.md do not fit; see above"
"$python" Scripts/check_manifests.py --schema-only backup=deployments/databases/backup/fetch.yaml ||
    fail "deployments/databases/backup/fetch.yaml is not valid"
kubectl kustomize deployments/monitoring >"$out/monitoring.yaml" || fail "deployments/monitoring does not render"
"$python" Scripts/check_manifests.py --schema-only monitoring="$out/monitoring.yaml" ||
    fail "deployments/monitoring is not valid"
# Side by side, as each mostly waits for processes of its own.
"$python" Scripts/test_cluster.py --quiet &
scripts=$!
"$python" -B Scripts/test_try_cluster.py --quiet ||
    fail "make try-cluster does not count what it should, or leaves something behind"
wait $scripts || fail "a script does not do with a cluster what it should"
say "all overlays are in $out"
