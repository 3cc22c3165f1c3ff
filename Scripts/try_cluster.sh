#!/bin/sh
# Deploys the overlay `local` to the cluster that kubectl reaches, takes the README's tour, and counts which calls from
# outside are lost while pods are rolled, scaled, deleted, killed and drained; docs/kubernetes.md says what for. REGISTRY
# and TAG say which images, as for deploy.sh. The table goes to .build/try-cluster/table.md and table.json. It ends with
# status 1 when a call was lost that is idempotent or has a key.
#
#   GATEWAY=http://HOST:PORT   where the gateway is called; by default port 30080 of the first node that answers there
#   PAGE=http://HOST:PORT      and the page; by default port 30081 of the same host
#   SCENARIOS="NAME NAME"      only these; a wrong name lists all
#   RATE=50                    calls a second by the load generator; callers of its own make about 70 more
#   LOAD_GENERATOR=FILE        that program; it is built if it is missing
#   DNS_CACHE="0 30"           CoreDNS keeps answers for so many seconds (0: not at all), and gets its own Corefile back at the
#                              end; of several times each is for all scenarios, one after the other
#   NODE_EXEC="COMMAND"        runs a command as root on a node, NODE being its name: "docker exec NODE" for kind, "env" on
#                              the node itself. Without it nothing can be killed by -9, and pods are deleted by force
#   KEEP=1, UNDEPLOY=yes       leaves Shippy there, or takes it away with its data; if it was not there before, the second
#                              is the default
set -eu
cd "$(dirname "$0")/.."
name=try-cluster
. Scripts/lib.sh
. Scripts/version.sh

for program in kubectl python3 curl bash; do
    command -v "$program" >/dev/null || fail "$program is missing"
done
case "${KEEP:-}/${UNDEPLOY:-}" in
    / | 1/ | /yes) ;;
    *) fail "KEEP=1 leaves it there, UNDEPLOY=yes takes it away; say one of them, or none" ;;
esac
LOAD_GENERATOR=${LOAD_GENERATOR:-.build/release/load-generator}
if [ ! -x "$LOAD_GENERATOR" ]; then
    command -v swift >/dev/null || fail "$LOAD_GENERATOR is missing, and Swift, which would build it"
    say "building the load generator"
    Scripts/release.sh load-generator
    LOAD_GENERATOR=.build/release/load-generator
fi
kubectl get nodes >/dev/null || fail "kubectl reaches no cluster"
say "in the cluster $(kubectl config current-context 2>/dev/null || echo 'of this pod')"
export REGISTRY TAG LOAD_GENERATOR
exec python3 -B Scripts/cluster/run.py
