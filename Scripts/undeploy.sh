#!/bin/sh
# Takes Shippy away from the cluster, all but its disks: undeploy.sh. It asks first; YES=1 answers. OVERLAY=canary takes
# only the canary away.
set -eu
cd "$(dirname "$0")/.."
name=undeploy
. Scripts/lib.sh

part="app.kubernetes.io/part-of=shippy"
case "${OVERLAY:-}" in
    "") ;;
    canary*)
        kubectl --namespace shippy delete deployment,configmap --selector track=canary --ignore-not-found
        # What make undo would go by.
        kubectl --namespace shippy delete configmap deploy-before-canary deploy-before-canary-api --ignore-not-found
        say "the canary is gone, and its settings"
        exit 0
        ;;
    *) fail "it takes everything away, or OVERLAY=canary alone" ;;
esac

# Only these: a cluster's disks are one list for all namespaces.
disks() {
    kubectl get persistentvolumes --output \
        'jsonpath={range .items[?(@.spec.claimRef.namespace=="shippy")]}{.metadata.name} {.spec.claimRef.name}{"\n"}{end}'
}
found=$(disks)
say "in the cluster $(kubectl config current-context): deletes the namespace shippy with everything in it, the Secrets too,"
say "Shippy's PriorityClasses and StorageClass, and its ConfigMaps in the namespace monitoring, which stays."
say "Disks stay, too:"
printf '%s\n' "${found:-none}"
say "without the Secrets nobody can log in to what is on them. A copy: kubectl -n shippy get secrets -o yaml >secrets.yaml"
if [ "${YES:-}" != 1 ]; then
    printf '%s' "$name: type shippy to go on: "
    read -r answer || answer=
    [ "$answer" = shippy ] || fail "nothing was done"
fi

# kind's and minikube's disks would go with their claims.
printf '%s\n' "$found" | while read -r disk _; do
    [ -n "$disk" ] || continue
    kubectl patch persistentvolume "$disk" --patch '{"spec": {"persistentVolumeReclaimPolicy": "Retain"}}'
done
kubectl delete namespace shippy --ignore-not-found
kubectl delete priorityclass,storageclass --selector "$part" --ignore-not-found
kubectl --namespace monitoring delete configmap --selector "$part" --ignore-not-found
found=$(disks)
if [ -z "$found" ]; then
    say "nothing is left"
    exit 0
fi
say "nothing is left but these disks, and what they cost:"
printf '%s\n' "$found"
say "away with one, and its data: kubectl patch persistentvolume DISK -p '{\"spec\": {\"persistentVolumeReclaimPolicy\": \"Delete\"}}'"
