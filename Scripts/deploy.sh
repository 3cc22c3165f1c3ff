#!/bin/sh
# Applies an overlay with images of one tag and waits until the rollout is through: OVERLAY=gke TAG=… REGISTRY=…
# deploy.sh. With DRY_RUN=1 it only prints what it would apply.
set -eu
cd "$(dirname "$0")/.."
name=deploy
. Scripts/lib.sh
. Scripts/version.sh

known=$(ls deployments/overlays | tr '\n' ' ')
[ -n "${OVERLAY:-}" ] || fail "say which overlay, one of $known: make deploy OVERLAY=local"
[ -d "deployments/overlays/$OVERLAY" ] || fail "there is no overlay $OVERLAY; there are $known"
case $TAG in
    latest | unknown) fail "TAG=$TAG says nothing; a rollback needs tags that differ" ;;
    *-dirty) say "the sources have changes that are not committed; the tag says so: $TAG" >&2 ;;
esac

# The overlay as it is in git, and on top of it the names of the images.
out=.build/deploy
mkdir -p "$out"
{
    printf 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n'
    printf 'resources: [../../deployments/overlays/%s]\nimages:\n' "$OVERLAY"
    for image in $images; do
        printf '  - {name: shippy/%s, newName: %s, newTag: "%s"}\n' "$image" "$REGISTRY/$image" "$TAG"
    done
} >"$out/kustomization.yaml"

if [ -n "${DRY_RUN:-}" ]; then
    kubectl kustomize "$out"
    exit 0
fi

kubectl --namespace shippy get secret shippy >/dev/null 2>&1 ||
    fail "the Secrets are missing; make them once: Scripts/secrets.sh"
kubectl apply -k "$out"

# Only what the overlay holds: a canary is one Deployment.
deployments=$(kubectl kustomize "$out" |
    awk '/^kind: / { kind = $2 } /^  name: / && kind == "Deployment" { print $2 }')
for deployment in $deployments; do
    kubectl --namespace shippy rollout status --timeout="${ROLLOUT_TIMEOUT:-10m}" "deployment/$deployment" || {
        say "$deployment did not get through. What is wrong: kubectl -n shippy describe deployment $deployment" >&2
        fail "back to what ran before: kubectl -n shippy rollout undo deployment/$deployment"
    }
done
say "$OVERLAY runs $TAG. Back, one by one: kubectl -n shippy rollout undo deployment/NAME"
