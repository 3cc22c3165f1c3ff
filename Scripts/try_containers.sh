#!/bin/sh
# Builds the images with podman, brings docker-compose.yml up with them, takes the README's tour, and removes it all
# again. As root, on Debian, with podman, buildah, runc, netavark, aardvark-dns, iptables, debootstrap and docker-registry.
#
# No image is pulled but our own, from a registry of this run: the base image is made by debootstrap, and stand-ins take the
# databases' places. PREBUILT=FOLDER
# takes programs from there instead of compiling them in a container. Images, containers and settings are podman's in
# .build/containers alone, and nothing of it stays but logs. KEEP=1 keeps the images for the next time.
set -eu
cd "$(dirname "$0")/.."
name=try-containers
. Scripts/lib.sh

command -v docker-registry >/dev/null || fail "docker-registry is missing; see the top of this script"
registry_pid=
stop_containers() {
    status_of_down=0
    "$python" Scripts/containers/compose.py down || status_of_down=1
    [ -z "$registry_pid" ] || kill "$registry_pid" 2>/dev/null || true
    rm -rf "$here/registry" "$here/symbols"
    return $status_of_down
}
. Scripts/containers/lib.sh
. Scripts/version.sh

# shellcheck disable=SC2086 # flags are words
if podman build $BUILD_FLAGS . >"$here/no-target.log" 2>&1; then fail "a build without a target makes an image"; fi
grep -q '^Targets: vessel-service ' "$here/no-target.log" ||
    fail "a build without a target does not list them; see $here/no-target.log"

say "pushing the images to a registry, and taking them from there by digest"
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
registry=127.0.0.1:$port
mkdir -p "$here/registry"
cat >"$here/registry/config.yaml" <<END
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: "$here/registry/data"}}
http: {addr: "$registry"}
END
# Not with the lock, which others wait for.
docker-registry serve "$here/registry/config.yaml" >"$here/registry.log" 2>&1 9>&- &
registry_pid=$!
tries=0
until curl -sf "http://$registry/v2/" >/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 50 ] || fail "no registry; see $here/registry.log"
    sleep 0.2
done
for image in $images; do podman tag "localhost/shippy/$image:$TAG" "$registry/shippy/$image:$TAG"; done
REGISTRY=$registry/shippy PUSH_FLAGS=--tls-verify=false Scripts/images.sh push >"$here/push.log" 2>&1 ||
    { tail -n 20 "$here/push.log" >&2; fail "the images could not be pushed"; }
while read -r pushed; do
    image=${pushed##*/}
    image=${image%@*}
    podman rmi "localhost/shippy/$image:$TAG" "$registry/shippy/$image:$TAG" >/dev/null
    podman pull --quiet --tls-verify=false "$pushed" >/dev/null </dev/null || fail "$pushed can't be pulled"
    podman tag "$pushed" "localhost/shippy/$image:$TAG"
done <.build/images/digests

say "listing what is in the images"
Scripts/images.sh sbom >/dev/null
grep -q '"name": "swift-nio"' .build/images/sbom/vessel-service.json &&
    grep -q '"name": "libmongoc-1.0-0"' .build/images/sbom/vessel-service.json &&
    grep -q '"name": "nginx-light"' .build/images/sbom/ui.json || fail "the lists are not whole; see .build/images/sbom"
for program in shippy-vessel-service shippy-user-service shippy-consignment-service shippy-email-service \
    shippy-api-gateway api; do
    podman run --rm --network none "localhost/shippy/shippy:$TAG" "$program" --help >/dev/null ||
        fail "$program does not start in the image of all programs"
done
podman run --detach --name shippy-try-series-all --network none --env DB_HOST=sqlite:/tmp/vessel.db \
    "localhost/shippy/shippy:$TAG" shippy-vessel-service --seed >/dev/null
tries=0
until podman exec shippy-try-series-all shippy-vessel-service --healthcheck >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 50 ] || fail "a program does not serve from the image of all programs"
    sleep 0.2
done
podman rm --force shippy-try-series-all >/dev/null
say "each program starts by its name in the image of all"

say "bringing docker-compose.yml up"
"$python" Scripts/containers/compose.py up

# Whether the port leads through a gateway to the vessel that is there from the start.
has_seed() {
    curl -sf "localhost:$1/rpc" -H 'Content-Type: application/json' \
        -d '{"service": "vessel", "method": "VesselService.FindAvailable", "request": {"capacity": 300}}' |
        grep -q vessel001
}

say "taking the README's tour"
"$python" Scripts/containers/tour.py || fail "the tour went wrong"
tries=0
until "$python" Scripts/containers/compose.py logs mailpit | grep -q 'Subject: Welcome to Shippy, Ewan'; do
    tries=$((tries + 1))
    [ $tries -lt 90 ] || fail "the welcome mail did not arrive; see $here/logs/email.log"
    sleep 1
done
say "the welcome mail arrived"
curl -sf localhost:8081/ | grep -q '<title>' || fail "nginx does not serve the page"
has_seed 8081 ||
    fail "nginx does not pass calls on"
policy_at() { curl -sfI "localhost:$1/" | tr -d '\r' | grep -i '^content-security-policy:' | sed 's/^[^:]*: *//'; }
[ -n "$(policy_at 8080)" ] && [ "$(policy_at 8080)" = "$(policy_at 8081)" ] ||
    fail "nginx and the gateway say different policies for the page; see deployments/nginx.conf"
say "the page and its calls work behind nginx"
for service in vessel user consignment email api ui; do
    seen=$(podman inspect --format '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.EffectiveCaps}}' "shippy-try-$service")
    [ "$seen" = "10001:10001 true []" ] || fail "$service is less confined than it should be: $seen"
done
say "all run as user 10001, with a read-only root filesystem and no capabilities"
say "bringing the series' manifests up, with only the images changed"
"$python" Scripts/containers/compose.py series
has_seed 8082 && has_seed 8084 ||
    fail "the series' manifests do not bring Shippy up"
curl -sf localhost:8085/ | grep -q '<title>' && has_seed 8085 || fail "the series' page does not reach its gateway"

say "crashing a program"
SYMBOLS=$here/symbols Scripts/images.sh symbols >"$here/symbols.log" 2>&1 || { tail -n 20 "$here/symbols.log" >&2; fail "no symbols"; }
crashing=shippy-try-series-crash
podman run --detach --name "$crashing" --read-only --read-only-tmpfs=false --cap-drop ALL \
    --security-opt no-new-privileges "localhost/shippy/vessel-service:$TAG" >/dev/null
tries=0
until podman logs "$crashing" | grep -q '"for":"admin"'; do
    tries=$((tries + 1))
    [ $tries -lt 50 ] || fail "the program that is to crash does not start"
    sleep 0.2
done
podman kill --signal SEGV "$crashing" >/dev/null
tries=0
until podman logs "$crashing" 2>&1 | grep -q '^Images '; do
    tries=$((tries + 1))
    [ $tries -lt 50 ] || fail "a crash says nothing: $(podman logs "$crashing" 2>&1 | tail -n 5)"
    sleep 0.2
done
mkdir -p "$here/logs"
podman logs "$crashing" 2>&1 | "$python" Scripts/symbolicate.py "$here/symbols" >"$here/logs/crash.log"
grep -q 'Program crashed' "$here/logs/crash.log" && grep -q '^         [^ ].* at ' "$here/logs/crash.log" ||
    fail "a crash does not say where it was; see $here/logs/crash.log"
# A pod's termination message is the last 2,048 bytes of its log.
[ "$(podman logs "$crashing" 2>&1 >/dev/null | wc -c)" -lt 2048 ] || fail "a crash's report is too long"
say "a crash writes a backtrace, which the symbols turn into functions and lines"
say "all well"
