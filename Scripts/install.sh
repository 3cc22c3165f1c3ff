#!/bin/sh
# Installs what is missing on a Debian-like system: install.sh [run|test|bench]. Does nothing when nothing is missing.
set -eu
cd "$(dirname "$0")/.."
name=install
. Scripts/lib.sh

# The oldest compiler that all dependencies build with.
swift_needed=6.2

run_packages="g++ libc6-dev git ca-certificates pkg-config curl libnghttp2-dev libmongoc-dev libpq-dev libcurl4-openssl-dev libcrypt-dev libsqlite3-dev libssl-dev"
test_packages="postgresql-15 chromium fonts-dejavu-core python3-venv nghttp2-client wrk protobuf-compiler libprotobuf-dev openssl prometheus spin"
bench_packages="strace"

packages=$run_packages
case "${1:-run}" in
    run) ;;
    test) packages="$packages $test_packages" ;;
    bench) packages="$packages $test_packages $bench_packages" ;;
    *) fail "say run, test or bench" ;;
esac

check_swift() {
    command -v swift >/dev/null ||
        fail "Swift is missing. Get version $swift_needed or later from https://www.swift.org/install and put it on PATH."
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1)
    oldest=$(printf '%s\n%s\n' "$swift_needed" "${version:-0}" | sort -V | head -n 1)
    [ "$oldest" = "$swift_needed" ] ||
        fail "Swift ${version:-of an unknown version} is too old; get $swift_needed or later from https://www.swift.org/install"
}

# Prints those of the packages that are not installed.
missing_packages() {
    for package in $packages; do
        case "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" in
            installed) ;;
            *) printf '%s ' "$package" ;;
        esac
    done
}

install_packages() {
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
        fail "this is no Debian-like system; install the counterparts of: $packages"
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    sudo=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "missing are: $missing; install them as root: apt-get install $missing"
        sudo=sudo
    fi
    say "installing $missing"
    undo=:
    # Nor is what was done before an install that fails left behind.
    trap 'eval "$undo"' EXIT
    # A signal alone would end dash without the trap above.
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    case " $missing" in *" postgresql-"*) keep_postgresql_still ;; esac
    case " $missing" in *" prometheus "*) keep_prometheus_still ;; esac
    # Lists that are there already may do, and save a minute; if not, they are fetched.
    # shellcheck disable=SC2086 # one word for each package
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >.apt.log 2>&1 || {
        $sudo apt-get update -q &&
            $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
    } || fail "apt-get could not install: $missing"
    rm -f .apt.log
}

# Debian starts a PostgreSQL server as soon as it is installed. The tests want its programs and start servers of their own.
keep_postgresql_still() {
    folder=/etc/postgresql-common/createcluster.d
    if [ -e "$folder" ]; then return; fi
    $sudo mkdir -p "$folder"
    echo "create_main_cluster = false" | $sudo tee "$folder/shippy.conf" >/dev/null
    # Who installs another version later gets Debian's usual way.
    undo="$undo; $sudo rm -rf $folder"
}

# The same with Prometheus, whose port 9090 is our admin port too: the checks want promtool, the tests a server of their own.
keep_prometheus_still() {
    [ -d /run/systemd/system ] || return 0
    $sudo systemctl mask --quiet prometheus.service || return 0
    undo="$undo; $sudo systemctl unmask --quiet prometheus.service; $sudo systemctl disable --quiet prometheus.service"
}

# The tests' Python packages, in an environment of their own.
install_python() {
    wanted=Scripts/test-requirements.txt
    cmp -s "$wanted" "$venv/installed.txt" && return 0
    say "preparing Python packages for the tests in $venv"
    [ -x "$venv/bin/python3" ] || python3 -m venv "$venv"
    "$venv/bin/python3" -m pip install --quiet --disable-pip-version-check -r "$wanted" ||
        fail "pip could not install what $wanted names"
    cp "$wanted" "$venv/installed.txt"
}

check_swift
install_packages
case "${1:-run}" in test | bench) install_python ;; esac
