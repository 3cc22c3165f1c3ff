#!/bin/sh
# Everything about the images: images.sh COMMAND. REGISTRY and TAG say what they are called, VERSION what they say of
# themselves (TAG by default), BUILDER what builds them.
#
#   build     builds all. PLATFORMS=linux/amd64,linux/arm64 builds for several kinds of machine, where the builder can run
#             programs of all of them (binfmt); docker then keeps the result in its cache until `push`
#   sizes     prints how large they are, and fails if one is larger than it may be
#   push      pushes all; their names by digest, which no later push can change, go to .build/images/digests
#   join      makes one image for several machines: TAG of what was pushed as TAG-ARCHITECTURE, for each of ARCHITECTURES
#   sbom      writes what is in each, in CycloneDX's form, to .build/images/sbom
#   symbols   copies what debuggers need to SYMBOLS, .build/symbols by default (see docs/operations.md)
set -eu
cd "$(dirname "$0")/.."
name=images
. Scripts/lib.sh
. Scripts/version.sh

# What programs say of themselves: the tag, where it holds nothing else.
version=${VERSION:-$TAG}
out=.build/images
symbols=${SYMBOLS:-.build/symbols}
is_docker() { [ "$(basename "$builder")" = docker ]; }
# All containers of this script; none of them runs.
containers=
trap 'for container in $containers; do "$builder" rm "$container" >/dev/null; done' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Builds a target of the Dockerfile, for this machine or for PLATFORMS.
# shellcheck disable=SC2086 # BUILD_FLAGS are words
build_image() { # target, tag, flags…
    target=$1 tag=$2
    shift 2
    set -- "$@" --target "$target" --build-arg VERSION="$version" \
        --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)" ${BUILD_FLAGS:-}
    if [ -z "${PLATFORMS:-}" ]; then
        "$builder" build --tag "$tag" "$@" .
    elif is_docker; then
        docker buildx build --platform "$PLATFORMS" --tag "$tag" "$@" .
    else
        "$builder" manifest rm "$tag" >/dev/null 2>&1 || true
        "$builder" build --platform "$PLATFORMS" --manifest "$tag" "$@" .
    fi
}

# How many MB an image may have: the programs' whole image, the page's beyond Debian's. Each limit is a few percent above
# what the files add up to, so that growth is a decision. The goal is 35 MB beyond Debian's slim image, 110 MB in all. The
# largest parts: 29 MB each program, 31 MB the Unicode tables that libmongoc links, 7 MB what writes backtraces. The image of
# all has the libraries of all, and all programs in one file of 32 MB.
size_limit_mb() {
    case $1 in
        api-gateway) echo 53 ;;
        user-service) echo 65 ;;
        vessel-service | consignment-service) echo 95 ;;
        email-service) echo 106 ;;
        ui) echo 35 ;;
        shippy) echo 122 ;;
    esac
}

size_mb() { # image
    bytes=$("$builder" image inspect --format '{{.Size}}' "$1") || fail "$1 is not here; build it first"
    echo $(((bytes + 500000) / 1000000))
}

sizes() {
    too_large=
    for image in $images; do
        size=$(size_mb "$(image_name "$image")")
        what="whole"
        counted=$size
        if [ "$image" = ui ]; then
            base=${DEBIAN_IMAGE:-debian:bookworm-slim}
            # docker's builder keeps base images to itself.
            "$builder" image inspect "$base" >/dev/null 2>&1 || "$builder" pull --quiet "$base" >/dev/null ||
                fail "$base can't be pulled, to compare with"
            counted=$((size - $(size_mb "$base")))
            what="$counted MB beyond $base"
        fi
        limit=$(size_limit_mb "$image")
        printf '  %-20s %4d MB, %s (limit %d)\n' "$image" "$size" "$what" "$limit"
        [ "$counted" -le "$limit" ] || too_large="$too_large $image"
    done
    [ -z "$too_large" ] || fail "too large:$too_large; find out what came in, or raise the limit in this script"
}

push() {
    mkdir -p "$out"
    : >"$out/digests"
    for image in $images; do
        full=$(image_name "$image")
        if ! is_docker; then
            push="push"
            [ -z "${PLATFORMS:-}" ] || push="manifest push --all"
            # shellcheck disable=SC2086 # words
            "$builder" $push ${PUSH_FLAGS:-} --digestfile "$out/digest" "$full" "docker://$full" || not_pushed "$full"
            digest=$(cat "$out/digest")
        elif [ -n "${PLATFORMS:-}" ]; then
            build_image "$image" "$full" --push || not_pushed "$full"
            digest=$(remote_digest "$full")
        else
            docker push "$full" || not_pushed "$full"
            digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$full" |
                sed -n "s|^$REGISTRY/$image@||p" | head -n 1)
        fi
        [ -n "$digest" ] || fail "$full was pushed, and its digest is not known"
        echo "$REGISTRY/$image@$digest" >>"$out/digests"
    done
    rm -f "$out/digest"
    say "by digest, in $out/digests:"
    sed 's/^/  /' "$out/digests"
}

not_pushed() { fail "$1 could not be pushed; is it built, are you logged in?"; }

remote_digest() { docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$1"; }

join() {
    [ -n "${ARCHITECTURES:-}" ] || fail "say which: ARCHITECTURES='amd64 arm64' images.sh join"
    is_docker || fail "only docker's buildx joins what is in a registry; podman builds for all at once: PLATFORMS=…"
    mkdir -p "$out"
    : >"$out/digests"
    for image in $images; do
        full=$(image_name "$image")
        parts=
        for architecture in $ARCHITECTURES; do parts="$parts $full-$architecture"; done
        # shellcheck disable=SC2086 # words
        docker buildx imagetools create --tag "$full" $parts || fail "$full could not be joined"
        digest=$(remote_digest "$full") || fail "$full is not in the registry"
        echo "$REGISTRY/$image@$digest" >>"$out/digests"
    done
}

# A container that never runs is a way to an image's files for every builder.
make_container() { # image
    container=$("$builder" create "$1" nothing) || fail "$1 is not here; build it first"
    containers="$containers $container"
}

sbom() {
    mkdir -p "$out/sbom"
    for image in $images; do
        make_container "$(image_name "$image")"
        "$builder" export "$container" >"$out/files.tar"
        python3 Scripts/sbom.py "$image" "$version" <"$out/files.tar" >"$out/sbom/$image.json" ||
            fail "no list of what is in $image"
        rm -f "$out/files.tar"
    done
    say "what is in the images is in $out/sbom"
}

symbols() {
    tag=$(image_name symbols)
    build_image symbols "$tag" || fail "the symbols could not be built"
    make_container "$tag"
    mkdir -p "$symbols"
    "$builder" cp "$container:/.build-id" "$symbols/"
    say "what debuggers need is in $symbols"
}

case "${1:-}" in
    build)
        for image in $images; do
            say "building $(image_name "$image")"
            build_image "$image" "$(image_name "$image")" || fail "$image could not be built"
        done
        # What docker builds for several machines is not among its images.
        [ -n "${PLATFORMS:-}" ] || sizes
        ;;
    sizes | push | join | sbom | symbols) "$1" ;;
    *) fail "say build, sizes, push, join, sbom or symbols" ;;
esac
