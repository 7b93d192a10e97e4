# syntax=docker/dockerfile:1
# Three stages: build the bundle, take the one binary and the libraries it needs, start from nothing.
ARG NODE_VERSION=24.21.0

FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc tsconfig.json ./
RUN npm ci
COPY bin bin
COPY src src
COPY page page
COPY scripts scripts
COPY LICENSE ./
RUN npm run build

# /image is the file system of the last stage. scripts/rootfs.sh is also what builds the image without an engine.
FROM build AS rootfs
COPY config config
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
RUN scripts/rootfs.sh "$(command -v node)" /image

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="fairlead" \
      org.opencontainers.image.description="A sidecar proxy that makes backend experiments safe." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=rootfs /image /
ENV NODE_ENV=production PATH=/usr/local/bin
USER 10153:10153
WORKDIR /var/lib/fairlead
# Inbound and probes. The admin API (15100) stays on loopback.
EXPOSE 15106 15120
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["fairlead", "healthcheck"]
ENTRYPOINT ["fairlead"]
CMD ["run", "-c", "/etc/fairlead/fairlead.yaml"]
