#!/bin/sh
# Builds the images with podman, brings docker-compose.yml up with them, takes the README's tour, and removes it all
# again. As root, on Debian, with podman, buildah, runc, netavark, aardvark-dns, iptables and debootstrap.
#
# No image is pulled: the base image is made by debootstrap, and stand-ins take the databases' places. PREBUILT=FOLDER
# takes programs from there instead of compiling them in a container. Images, containers and settings are podman's in
# .build/containers alone, and nothing of it stays but logs. KEEP=1 keeps the images for the next time.
set -eu
cd "$(dirname "$0")/.."
name=try-containers
. Scripts/lib.sh

stop_containers() { "$python" Scripts/containers/compose.py down; }
. Scripts/containers/lib.sh

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
has_seed 8082 ||
    fail "the series' manifests do not bring Shippy up"
say "all well"
