#!/bin/sh
# Applies an overlay with images of one tag and waits until the rollout is through: OVERLAY=gke TAG=… REGISTRY=…
# deploy.sh. With DRY_RUN=1 it only prints what it would apply. ROLLOUT_TIMEOUT=10m says how long it waits. It ends with
# status 3 when it failed after it had changed something.
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
kubectl kustomize "$out" >"$out/manifests.yaml" || fail "the overlay $OVERLAY does not render"

if [ -n "${DRY_RUN:-}" ]; then
    cat "$out/manifests.yaml"
    exit 0
fi

command -v python3 >/dev/null || fail "python3 is missing"
kubectl --namespace shippy get secret shippy >/dev/null 2>&1 ||
    fail "the Secrets are missing; make them once: Scripts/secrets.sh"

# Only what the overlay holds: a canary is one Deployment.
named() { # kind
    awk -v wanted="$1" '/^kind: / { kind = $2 } /^  name: / && kind == wanted { print tolower(kind) "/" $2 }' \
        "$out/manifests.yaml"
}
# What others need comes first, in what is said too.
workloads="$(named StatefulSet) $(named Deployment)"
rollout() { # command, and what it takes
    # shellcheck disable=SC2086 # one word for each
    SCRIPT=$name python3 Scripts/rollout.py "$1" "$OVERLAY" $workloads
}
undo="back to what ran before, all of it: make undo OVERLAY=$OVERLAY"
fail_half_way() { # why
    say "$1" >&2
    exit 3
}

rollout record
# A Job's pods can't be changed once it is there, and an apply that can't change one stops half-way. Ours may run again.
for job in $(named Job); do kubectl --namespace shippy delete "$job" --ignore-not-found; done
kubectl apply --filename="$out/manifests.yaml" || fail_half_way "not all could be applied; $undo"
rollout wait || fail_half_way "$undo"
say "$OVERLAY runs $TAG; $undo"
