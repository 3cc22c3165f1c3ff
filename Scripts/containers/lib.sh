# Sourced by try_containers.sh and try_rollout.sh, with $name set: podman with a store of its own, images in it, and the
# removal of all that. POSIX sh.

here=$PWD/.build/containers
python=${PYTHON:-$venv/bin/python3}
[ "$(id -u)" = 0 ] || fail "must be root, to make a base image and networks"
for program in podman buildah runc iptables debootstrap curl; do
    command -v "$program" >/dev/null || fail "$program is missing; see the top of this script"
done
[ -x "$python" ] || Scripts/install.sh test

mkdir -p "$here"
exec 9>"$here/lock"
flock -n 9 || fail "another make try-containers is at work in this folder"

cat >"$here/containers.conf" <<END
[containers]
# What many machines allow at most; podman would ask for more.
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
# To the container's own output, without a daemon.
log_driver = "k8s-file"
[engine]
runtime = "runc"
events_logger = "file"
cgroup_manager = "cgroupfs"
[network]
network_backend = "netavark"
network_config_dir = "$here/networks"
END
cat >"$here/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$here/storage"
runroot = "$here/run"
END
export CONTAINERS_CONF="$here/containers.conf" CONTAINERS_STORAGE_CONF="$here/storage.conf"
# Values for this run alone.
export REGISTRY=shippy TAG=try
JWT_SECRET=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
DB_PASSWORD=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
export JWT_SECRET DB_PASSWORD

# netavark leaves its chains behind when the last network goes. Who had some before keeps them.
had_chains=$(iptables -w -S | grep -c NETAVARK || true)
remove_chains() {
    [ "$had_chains" = 0 ] || return 0
    for table in filter nat; do
        iptables -w -t $table -S | sed -n '/^-A .*NETAVARK/s/^-A/-D/p' | while read -r rule; do
            # The rules come as iptables takes them, quotes included.
            eval "iptables -w -t $table $rule"
        done
        iptables -w -t $table -S | sed -n 's/^-N \(NETAVARK.*\)/\1/p' | while read -r chain; do
            iptables -w -t $table -X "$chain"
        done
    done
}

remove_store() {
    rm -rf "$here/standins" "$here/programs"
    [ -z "${KEEP:-}" ] || return 0
    podman rmi --all --force >/dev/null 2>&1 || true
    # The store's folder may still be mounted on itself.
    umount "$here/storage/overlay" 2>/dev/null || true
    rm -rf "$here/storage" "$here/run" "$here/networks" "$here/root"
}

tear_down() {
    status=$?
    trap - EXIT
    trap '' INT TERM HUP
    say "tearing down"
    stop_containers || status=1
    remove_chains
    remove_store
    exit $status
}
trap tear_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

base=localhost/debian:bookworm-slim
if ! podman image exists "$base"; then
    say "making a base image"
    rm -rf "$here/root"
    debootstrap --variant=minbase bookworm "$here/root" >"$here/debootstrap.log" 2>&1 ||
        fail "debootstrap failed; see $here/debootstrap.log"
    # What the slim image leaves out.
    rm -rf "$here/root/var/cache/apt" "$here/root/var/lib/apt/lists" "$here/root/usr/share/doc" \
        "$here/root/usr/share/man" "$here/root/usr/share/locale" "$here/root/var/log"
    mkdir -p "$here/root/var/lib/apt/lists/partial" "$here/root/var/cache/apt/archives/partial" "$here/root/var/log"
    tar -C "$here/root" -c . | podman import --quiet --change 'CMD ["bash"]' - "$base" >/dev/null
    rm -rf "$here/root"
fi

flags="--isolation chroot --network host --build-arg DEBIAN_IMAGE=$base --format docker"
if [ -n "${PREBUILT:-}" ]; then
    say "taking the programs from $PREBUILT"
    rm -rf "$here/programs"
    mkdir -p "$here/programs/about"
    set --
    for program in vessel-service user-service consignment-service email-service api-gateway programs; do
        [ -x "$PREBUILT/shippy-$program" ] ||
            fail "$PREBUILT/shippy-$program is missing; see Scripts/release.sh and Scripts/link_programs.sh"
        [ ! "$PREBUILT/shippy-$program" -nt "$PREBUILT/shippy-programs" ] ||
            fail "$PREBUILT/shippy-programs is older than shippy-$program; run Scripts/link_programs.sh again"
        set -- "$@" "$PREBUILT/shippy-$program"
    done
    toolchain=$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")
    # As the stage `build` of the Dockerfile leaves it.
    Scripts/split.sh "$here/programs/programs" "$here/programs/symbols" "$@" \
        "$(find "$toolchain/libexec/swift" -name swift-backtrace-static -print -quit)"
    cp Package.resolved "$here/programs/about/"
    swift --version 2>/dev/null | head -n 1 >"$here/programs/about/swift-version"
    printf 'FROM scratch\nCOPY . /\n' |
        podman build --quiet --tag localhost/programs --file - "$here/programs" >/dev/null
    flags="$flags --build-arg PROGRAMS=localhost/programs"
else
    say "making an image of the compiler on this machine"
    toolchain=$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")
    podman build --quiet --isolation chroot --network host --build-arg DEBIAN_IMAGE="$base" --tag localhost/swift \
        --file Scripts/containers/Dockerfile.compiler "$toolchain" >"$here/compiler.log" 2>&1 ||
        { tail -n 20 "$here/compiler.log" >&2; fail "no image of the compiler"; }
    # Where git reads packages from folders of this machine, the build in the image does so, too.
    git config --get-regexp '^url\.' | sed -n 's|^url\.\(/.*\)\.insteadof .*|\1|p' | sort -u >"$here/mirrors"
    if [ -s "$here/mirrors" ]; then
        { printf '[safe]\n\tdirectory = *\n'
          git config --get-regexp '^url\.' | sed -n 's|^url\.\(/.*\)\.insteadof \(.*\)|[url "\1"]\n\tinsteadOf = \2|p'
        } >"$here/gitconfig"
        flags="$flags --volume $here/gitconfig:/etc/gitconfig:ro"
        while read -r mirror; do flags="$flags --volume ${mirror%/}:${mirror%/}:ro"; done <"$here/mirrors"
    fi
    say "compiling in it, which takes a while; see $here/compile.log"
    # By name, as the buildah of Debian 12 does not find a stage behind a variable (PROGRAMS=build).
    # shellcheck disable=SC2086 # flags are words
    podman build $flags --build-arg SWIFT_IMAGE=localhost/swift --target build --tag localhost/programs \
        . >"$here/compile.log" 2>&1 ||
        { tail -n 30 "$here/compile.log" >&2; fail "the programs could not be compiled; all of it is in $here/compile.log"; }
    flags="$flags --build-arg PROGRAMS=localhost/programs"
fi
export BUILDER=podman BUILD_FLAGS="$flags" DEBIAN_IMAGE="$base"
Scripts/images.sh build >"$here/build.log" 2>&1 ||
    { tail -n 30 "$here/build.log" >&2; fail "the images could not be built; all of it is in $here/build.log"; }
say "the images:"
Scripts/images.sh sizes

say "making stand-ins for the databases"
rm -rf "$here/standins"
mkdir -p "$here/standins/python"
cp Scripts/containers/standin.sh Scripts/containers/mongosh "$here/standins/"
grep -E '^(SecantusDB|aiosmtpd)' Scripts/test-requirements.txt >"$here/standins/requirements.txt"
"$python" -m pip install --quiet --disable-pip-version-check --target "$here/standins/python" \
    -r "$here/standins/requirements.txt" || fail "pip could not install the stand-ins"
# shellcheck disable=SC2086 # flags are words
podman build --quiet $flags --tag localhost/standin --file Scripts/containers/Dockerfile.standins \
    "$here/standins" >>"$here/build.log" 2>&1 || { tail -n 20 "$here/build.log" >&2; fail "no stand-ins"; }
for image in $(sed -n 's/^    image: \([a-z].*\)/\1/p' docker-compose.yml); do
    played=${image##*/}
    printf 'FROM localhost/standin\nENV PLAYS=%s\n' "${played%%:*}" |
        podman build --quiet --format docker --tag "localhost/$image" --file - "$here/standins" >>"$here/build.log"
done
