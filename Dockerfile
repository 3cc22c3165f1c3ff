# All images of Shippy, one target each: vessel-service, user-service, consignment-service, email-service, api-gateway,
# ui; and shippy, which holds all programs.
#
#   docker build --target vessel-service --tag shippy/vessel-service:0.1.0 .
#
# The programs are compiled once, in the stage `build`, whichever target is asked for first. Their images hold a program,
# the libraries that it needs, certificates of authorities, and what writes a crash's backtrace: no shell, no packages.

ARG SWIFT_IMAGE=swift:6.2-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim
# Where the programs come from: the stage below, or an image that has /programs, /symbols and /about already.
ARG PROGRAMS=build

FROM ${SWIFT_IMAGE} AS build
WORKDIR /shippy
ENV DEBIAN_FRONTEND=noninteractive
COPY Scripts/install.sh Scripts/lib.sh Scripts/
RUN Scripts/install.sh run

# Dependencies first, with empty targets in place of ours: a layer that stays until the manifest changes.
COPY Package.swift Package.resolve[d] ./
COPY Sources/Shared/CLibraries Sources/Shared/CLibraries
COPY Scripts/release.sh Scripts/empty_targets.sh Scripts/
RUN Scripts/empty_targets.sh && Scripts/release.sh shippy-user-service shippy-email-service shippy-api-gateway

# Then our own sources. What was built of the empty ones is older than these and is built anew.
RUN rm -rf Sources Tests Benchmarks
COPY Package.swift ./
COPY Sources Sources
COPY Scripts/empty_targets.sh Scripts/link_programs.sh Scripts/link_programs.c Scripts/split.sh Scripts/
RUN Scripts/empty_targets.sh --missing && \
    Scripts/release.sh shippy-vessel-service shippy-user-service shippy-consignment-service shippy-email-service \
        shippy-api-gateway && \
    Scripts/link_programs.sh .build/release/shippy-programs && \
    Scripts/split.sh /programs /symbols .build/release/shippy-*-service .build/release/shippy-api-gateway \
        .build/release/shippy-programs "$(find /usr/libexec/swift -name swift-backtrace-static -print -quit)" && \
    mkdir /about && cp Package.resolved /about && swift --version 2>/dev/null | head -n 1 >/about/swift-version

FROM ${PROGRAMS} AS programs

# What debuggers need to know about the programs, by build id. Kept beside the images: Scripts/images.sh symbols.
FROM scratch AS symbols
COPY --from=programs /symbols /

# What each image holds beside its program: /roots/common, and what the others need beyond that. `api` is micro's name for
# the gateway, by which the series' manifest starts it.
FROM ${DEBIAN_IMAGE} AS roots
RUN apt-get update -q && \
    apt-get install -y -q --no-install-recommends ca-certificates libcrypt1 libcurl4 libmongoc-1.0-0 libnghttp2-14 \
        libpq5 libsqlite3-0 libssl3 libstdc++6
COPY Scripts/rootfs.sh /
COPY --from=programs /programs /programs
RUN /rootfs.sh /roots/common /programs/shippy-api-gateway /programs/swift-backtrace-static && \
    /rootfs.sh /roots/mongo --on /roots/common /programs/shippy-vessel-service /programs/shippy-consignment-service && \
    /rootfs.sh /roots/email --on /roots/common --on /roots/mongo /programs/shippy-email-service && \
    /rootfs.sh /roots/user --on /roots/common /programs/shippy-user-service && \
    /rootfs.sh /roots/all --on /roots/common --on /roots/mongo --on /roots/email --on /roots/user \
        /programs/shippy-programs && \
    mkdir -p /roots/common/usr/libexec/swift /roots/gateway/app /roots/all/app && \
    cp /programs/swift-backtrace-static /roots/common/usr/libexec/swift/ && \
    ln -s shippy-api-gateway /roots/gateway/app/api && \
    for name in shippy-vessel-service shippy-user-service shippy-consignment-service shippy-email-service \
        shippy-api-gateway api; do ln -s shippy-programs "/roots/all/app/$name"; done
COPY --from=programs /about /roots/common/usr/share/shippy

FROM scratch AS runtime
COPY --from=roots /roots/common /
# The series' manifests start ./shippy-NAME-service from here; `kubectl create deployment` and others by the name alone.
WORKDIR /app
ENV PATH=/app:/usr/bin:/bin
# libmongoc's counters are shared memory, which a read-only root filesystem has no room for.
ENV MONGOC_DISABLE_SHM=1
# A crash ends with a backtrace on standard error, short enough for a pod's termination message: of the thread that
# crashed, without registers, as memory that they point to may hold a secret. Addresses become functions and lines by
# Scripts/symbolicate.py. The path is needed because Swift's libraries are linked in and don't know where they came from.
ENV SWIFT_BACKTRACE=enable=yes,swift-backtrace=/usr/libexec/swift/swift-backtrace-static,output-to=stderr,color=no,interactive=no,threads=crashed,registers=none,images=mentioned,limit=16,top=4,cache=no
# A number, so that Kubernetes can tell that it is not root without looking into the image.
USER 10001:10001
STOPSIGNAL SIGTERM
EXPOSE 8080 9090
ARG VERSION=unknown
ARG REVISION=unknown
ENV SHIPPY_VERSION=${VERSION}
LABEL org.opencontainers.image.vendor="Shippy" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"

FROM runtime AS runtime-mongo
COPY --from=roots /roots/mongo /

FROM runtime-mongo AS vessel-service
COPY --from=programs /programs/shippy-vessel-service ./
LABEL org.opencontainers.image.title="vessel-service" org.opencontainers.image.description="Shippy's vessels, over gRPC"
CMD ["./shippy-vessel-service"]

FROM runtime-mongo AS consignment-service
COPY --from=programs /programs/shippy-consignment-service ./
LABEL org.opencontainers.image.title="consignment-service" \
    org.opencontainers.image.description="Shippy's bookings, over gRPC"
CMD ["./shippy-consignment-service"]

FROM runtime-mongo AS email-service
COPY --from=roots /roots/email /
COPY --from=programs /programs/shippy-email-service ./
# The series' email service has no store, so its manifest names none; those of the others name this one.
ENV DB_HOST=mongo:27017
LABEL org.opencontainers.image.title="email-service" org.opencontainers.image.description="Shippy's mails, over gRPC"
CMD ["./shippy-email-service"]

FROM runtime AS user-service
COPY --from=roots /roots/user /
COPY --from=programs /programs/shippy-user-service ./
LABEL org.opencontainers.image.title="user-service" \
    org.opencontainers.image.description="Shippy's people and tokens, over gRPC"
CMD ["./shippy-user-service"]

FROM runtime AS api-gateway
COPY --from=roots /roots/gateway /
COPY --from=programs /programs/shippy-api-gateway ./
COPY ui ui
ENV STATIC_DIR=/app/ui
LABEL org.opencontainers.image.title="api-gateway" org.opencontainers.image.description="Shippy's HTTP gateway and page"
CMD ["./shippy-api-gateway"]

# Every program, for those who want one image: the command says which one starts. They are one file with a name for each, as
# five would hold the same libraries five times.
FROM runtime-mongo AS shippy
COPY --from=roots /roots/email /
COPY --from=roots /roots/user /
COPY --from=roots /roots/all /
COPY --from=programs /programs/shippy-programs ./
COPY ui ui
ENV STATIC_DIR=/app/ui
LABEL org.opencontainers.image.title="shippy" \
    org.opencontainers.image.description="Shippy's programs, each started by its name"

FROM ${DEBIAN_IMAGE} AS ui
RUN apt-get update -q && \
    apt-get install -y -q --no-install-recommends nginx-light && \
    rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
COPY deployments/nginx.conf /etc/nginx/nginx.conf
COPY deployments/ui.sh /usr/local/bin/shippy-ui
COPY ui /app
USER 10001:10001
# nginx ends the requests that it has, on this one.
STOPSIGNAL SIGQUIT
EXPOSE 80 8080
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.vendor="Shippy" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.title="ui" org.opencontainers.image.description="Shippy's page behind nginx"
CMD ["shippy-ui"]

# The last stage is what a build without --target would make. No image is the one that is meant, so it fails.
FROM ${DEBIAN_IMAGE} AS no-target
RUN printf '%s\n' "Say which image: docker build --target vessel-service --tag shippy/vessel-service ." \
    "Targets: vessel-service user-service consignment-service email-service api-gateway ui shippy symbols" >&2; exit 1
