#!/bin/sh
# Makes the Secrets that the manifests name, with random values, where they are missing. What is there stays as it is,
# so running it again is safe. SMTP_URL is taken from the environment. NAMESPACE is shippy by default.
set -eu
cd "$(dirname "$0")/.."
name=secrets
. Scripts/lib.sh

namespace=${NAMESPACE:-shippy}
command -v openssl >/dev/null || fail "openssl is missing"
kubectl get namespace "$namespace" >/dev/null 2>&1 || kubectl create namespace "$namespace"

# Values go through files that only we can read: arguments of a process can be read by all.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# A signal alone would end dash without the trap above.
trap 'exit 130' INT
trap 'exit 143' TERM HUP

create() { # name; its values are the files in a folder of that name
    if kubectl --namespace "$namespace" get secret "$1" >/dev/null 2>&1; then
        say "$1 is there already"
        return 0
    fi
    kubectl --namespace "$namespace" create secret generic "$1" --from-file="$folder/$1/"
}

umask 077
mkdir "$folder/shippy" "$folder/shippy-mongo" "$folder/shippy-postgres"
random() { openssl rand -hex "$1" | tr -d '\n'; }
random 32 >"$folder/shippy/JWT_SECRET"
# Hexadecimal: they stand in addresses as they are.
random 24 >"$folder/shippy/DB_PASSWORD"
random 24 >"$folder/shippy/MONGO_PASSWORD"
[ -z "${SMTP_URL:-}" ] || printf '%s' "$SMTP_URL" >"$folder/shippy/SMTP_URL"
random 24 >"$folder/shippy-mongo/root-password"
openssl rand -base64 756 >"$folder/shippy-mongo/key"

create shippy
create shippy-mongo
# For the operator: the same password under the names that it wants.
printf shippy >"$folder/shippy-postgres/username"
kubectl --namespace "$namespace" get secret shippy -o 'go-template={{index .data "DB_PASSWORD" | base64decode}}' \
    >"$folder/shippy-postgres/password"
create shippy-postgres
