#!/usr/bin/env bash
# The image of the Dockerfile where no Docker engine runs: an OCI image made with umoci from this checkout, the local
# Node and its libraries. Root is needed.
#   scripts/image.sh build [LAYOUT]    dist/oci unless told; tag latest
#   scripts/image.sh check [LAYOUT]    unpack it, run it in a chroot as uid 10153 on a read-only root: health, a
#                                      request, no writes, drain on SIGTERM
# HEALTHCHECK is no part of an OCI image; Docker's own build writes it, and Kubernetes uses its probes.
set -euo pipefail
cd "$(dirname "$0")/.."
self=$PWD/scripts/image.sh
action=${1:-build}
layout=${2:-dist/oci}
uid=10153
node=$PWD/node_modules/node/bin/node
[ -x "$node" ] || node=$(command -v node)
version=$("$node" -p 'require("./package.json").version')
revision=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)

need() {
  command -v "$1" >/dev/null || { echo "image: $1 is needed (apt-get install $2)" >&2; exit 78; }
}
need umoci umoci
[ "$(id -u)" = 0 ] || { echo "image: root is needed, for owners and mounts" >&2; exit 78; }

build() {
  "$node" scripts/build.ts
  rm -rf "$layout"
  mkdir -p "$(dirname "$layout")"
  local work
  work=$(mktemp -d)
  umoci init --layout "$layout"
  umoci new --image "$layout:latest"
  umoci unpack --image "$layout:latest" "$work/bundle"
  scripts/rootfs.sh "$node" "$work/bundle/rootfs"
  umoci repack --image "$layout:latest" "$work/bundle" >/dev/null
  umoci config --image "$layout:latest" \
    --config.user $uid:$uid --config.workingdir /var/lib/fairlead \
    --config.env NODE_ENV=production --config.env PATH=/usr/local/bin \
    --config.entrypoint fairlead \
    --config.cmd run --config.cmd -c --config.cmd /etc/fairlead/fairlead.yaml \
    --config.exposedports 15106/tcp --config.exposedports 15120/tcp --config.stopsignal SIGTERM \
    --config.label org.opencontainers.image.title=fairlead \
    --config.label "org.opencontainers.image.description=A sidecar proxy that makes backend experiments safe." \
    --config.label org.opencontainers.image.licenses=Apache-2.0 \
    --config.label "org.opencontainers.image.version=$version" \
    --config.label "org.opencontainers.image.revision=$revision"
  rm -rf "$work"
  echo "image: $layout:latest, $(du -sm "$layout" | cut -f1) MB compressed, revision $revision"
}

# Everything below runs in mount and network namespaces of its own; nothing stays behind.
check() {
  local work
  work=$(mktemp -d)
  umoci unpack --image "$layout:latest" "$work/bundle"
  if command -v ip >/dev/null; then net=(-n); else net=(); fi
  local status=0
  unshare -m "${net[@]}" bash "$self" inside "$work/bundle" "$node" || status=$?
  rm -rf "$work"
  return $status
}

inside() {
  local root=$1/rootfs host_node=$2
  [ -z "$(command -v ip)" ] || ip link set lo up
  mount --make-rprivate /
  mkdir -p "$1/etc"
  cat >"$1/etc/fairlead.yaml" <<'YAML'
version: 1
service: image-check
upstreams: { app: "127.0.0.1:19001" }
listeners: [{ name: inbound, address: 127.0.0.1:15106, direction: inbound }]
YAML
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  mount --bind "$1/etc" "$root/etc/fairlead"
  mount -o remount,bind,ro "$root"

  local in=("$(command -v chroot)" "--userspec=$uid:$uid" "$root" /usr/local/bin/fairlead)
  "$host_node" -e 'require("node:http").createServer((q, s) => s.end("from the app\n")).listen(19001, "127.0.0.1")' &
  app=$!
  (cd / && exec env -i PATH=/usr/local/bin NODE_ENV=production "${in[@]}" run -c /etc/fairlead/fairlead.yaml) &
  fairlead=$!
  trap 'kill -9 $app $fairlead 2>/dev/null || true' EXIT

  say() { echo "image check: $*"; }
  for _ in $(seq 100); do "${in[@]}" healthcheck >/dev/null 2>&1 && break; sleep 0.1; done
  "${in[@]}" healthcheck
  say "healthcheck exits 0"
  [ "$(awk '/^Uid:/ {print $2 $3}' /proc/$fairlead/status)" = "$uid$uid" ]
  say "runs as uid $uid"
  # As root, so that it is the mount that refuses and not the owner.
  local write='try { require("fs").writeFileSync("/probe", "") } catch (error) { process.exit(error.code === "EROFS" ? 30 : 1) }'
  local written=0
  chroot "$root" /usr/local/bin/node -e "$write" || written=$?
  if [ $written != 30 ]; then
    say "the root is not read-only"
    return 1
  fi
  say "the root is read-only"
  [ "$(curl -sS --max-time 5 http://127.0.0.1:15106/)" = "from the app" ]
  say "a request passes"
  kill -TERM $fairlead
  wait $fairlead
  say "SIGTERM drains, exit 0"
  if "${in[@]}" healthcheck >/dev/null 2>&1; then
    say "healthcheck is well without a sidecar"
    return 1
  fi
  say "healthcheck exits 1 once it is gone"

  (cd / && exec env -i PATH=/usr/local/bin NODE_ENV=production FAIRLEAD_WORKERS=2 "${in[@]}" run -c /etc/fairlead/fairlead.yaml) &
  fairlead=$!
  for _ in $(seq 100); do "${in[@]}" healthcheck >/dev/null 2>&1 && break; sleep 0.1; done
  [ "$(wc -w </proc/$fairlead/task/$fairlead/children)" = 2 ]
  [ "$(curl -sS --max-time 5 http://127.0.0.1:15106/)" = "from the app" ]
  kill -TERM $fairlead
  wait $fairlead
  say "two workers: a request passes, SIGTERM drains, exit 0"
}

case $action in
  build) build ;;
  check) check ;;
  inside) inside "$2" "$3" ;;
  *) echo "usage: scripts/image.sh build|check [LAYOUT]" >&2; exit 2 ;;
esac
