#!/bin/sh
# Builds all images: images.sh build|push. REGISTRY and TAG say what they are called, BUILDER what builds them.
set -eu
cd "$(dirname "$0")/.."
name=images
. Scripts/lib.sh
. Scripts/version.sh

# shellcheck disable=SC2086 # BUILD_FLAGS are words
case "${1:-}" in
    build)
        for image in $images; do
            say "building $(image_name "$image")"
            "$builder" build --target "$image" --tag "$(image_name "$image")" \
                --build-arg VERSION="$TAG" --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
                ${BUILD_FLAGS:-} . || fail "$image could not be built"
        done
        ;;
    push)
        for image in $images; do
            "$builder" push "$(image_name "$image")" ||
                fail "$(image_name "$image") could not be pushed; is it built, are you logged in?"
        done
        ;;
    *) fail "say build or push" ;;
esac
