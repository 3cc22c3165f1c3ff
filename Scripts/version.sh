# Sourced by the scripts about images: their names, and what they are called. POSIX sh.

images="vessel-service user-service consignment-service email-service api-gateway ui shippy"

REGISTRY=${REGISTRY:-shippy}
# A name of its own for every state of the sources, so that a tag never changes what it means.
TAG=${TAG:-$(git describe --tags --always --dirty 2>/dev/null || echo unknown)}
builder=${BUILDER:-$(command -v docker || command -v podman || echo docker)}

image_name() { printf '%s' "$REGISTRY/$1:$TAG"; }
