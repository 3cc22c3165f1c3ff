# All images of Shippy, one target each: vessel-service, user-service, consignment-service, email-service,
# api-gateway, ui.
#
#   docker build --target vessel-service --tag shippy/vessel-service:0.1.0 .
#
# The programs are compiled once, in the stage `build`, whichever target is asked for first.

ARG SWIFT_IMAGE=swift:6.2-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim
# Where the programs come from: the stage below, or an image that has them in /programs already.
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
COPY Scripts/empty_targets.sh Scripts/
RUN Scripts/empty_targets.sh --missing && \
    Scripts/release.sh shippy-vessel-service shippy-user-service shippy-consignment-service shippy-email-service \
        shippy-api-gateway && \
    mkdir /programs && cp .build/release/shippy-*-service .build/release/shippy-api-gateway /programs && \
    strip /programs/*

FROM ${PROGRAMS} AS programs

# What every program needs: HTTP/2, TLS, authorities, and SQLite, which the modules of the stores are linked with.
FROM ${DEBIAN_IMAGE} AS runtime
RUN apt-get update -q && \
    apt-get install -y -q --no-install-recommends ca-certificates libnghttp2-14 libssl3 libsqlite3-0 libstdc++6 && \
    rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
# The series' manifests start ./shippy-NAME-service from here.
WORKDIR /app
# libmongoc's counters are shared memory, which a read-only root filesystem has no room for.
ENV MONGOC_DISABLE_SHM=1
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
USER root
RUN apt-get update -q && \
    apt-get install -y -q --no-install-recommends libmongoc-1.0-0 && \
    rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
USER 10001:10001

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
USER root
RUN apt-get update -q && \
    apt-get install -y -q --no-install-recommends libcurl4 && \
    rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
USER 10001:10001
COPY --from=programs /programs/shippy-email-service ./
LABEL org.opencontainers.image.title="email-service" org.opencontainers.image.description="Shippy's mails, over gRPC"
CMD ["./shippy-email-service"]

FROM runtime AS user-service
USER root
RUN apt-get update -q && \
    apt-get install -y -q --no-install-recommends libcrypt1 libpq5 && \
    rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
USER 10001:10001
COPY --from=programs /programs/shippy-user-service ./
LABEL org.opencontainers.image.title="user-service" \
    org.opencontainers.image.description="Shippy's people and tokens, over gRPC"
CMD ["./shippy-user-service"]

FROM runtime AS api-gateway
COPY --from=programs /programs/shippy-api-gateway ./
COPY ui ui
ENV STATIC_DIR=/app/ui
LABEL org.opencontainers.image.title="api-gateway" org.opencontainers.image.description="Shippy's HTTP gateway and page"
CMD ["./shippy-api-gateway"]

FROM ${DEBIAN_IMAGE} AS ui
RUN apt-get update -q && \
    apt-get install -y -q --no-install-recommends nginx-light && \
    rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
COPY deployments/nginx.conf /etc/nginx/nginx.conf
COPY ui /app
USER 10001:10001
# nginx ends the requests that it has, on this one.
STOPSIGNAL SIGQUIT
EXPOSE 8080
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.vendor="Shippy" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.title="ui" org.opencontainers.image.description="Shippy's page behind nginx"
CMD ["nginx", "-e", "stderr"]
