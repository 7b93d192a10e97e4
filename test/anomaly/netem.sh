#!/usr/bin/env bash
# A candidate behind a bad network, by hand: two network name spaces with a cable between them, and `tc netem` on it.
# Needs root, iproute2 and the machine's leave to make name spaces. README.md has what it showed. Usage: netem.sh [seconds]
set -euo pipefail

seconds=${1:-4}
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d)
near=fairlead-near-$$
far=fairlead-far-$$

clean() {
  # What runs in them is this script's, with its children.
  for space in "$near" "$far"; do ip netns pids "$space" 2>/dev/null | xargs -r kill 2>/dev/null || true; done
  wait 2>/dev/null || true
  ip netns del "$near" 2>/dev/null || true
  ip netns del "$far" 2>/dev/null || true
  rm -rf "$folder"
}
trap clean EXIT

ip netns add "$near"
ip netns add "$far"
ip link add near netns "$near" type veth peer name far netns "$far"
ip -n "$near" addr add 10.77.0.1/24 dev near
ip -n "$far" addr add 10.77.0.2/24 dev far
ip -n "$near" link set lo up
ip -n "$near" link set near up
ip -n "$far" link set far up

serve='require("node:http").createServer((q, s) => s.end(process.argv[1])).listen(9000, process.argv[2])'
ip netns exec "$near" node -e "$serve" control 127.0.0.1 &
ip netns exec "$far" node -e "$serve" candidate 10.77.0.2 &

cat >"$folder/config.yaml" <<'YAML'
version: 1
requireMetadata: false
listeners: [{ name: inbound, address: "127.0.0.1:15106" }]
admin: { address: "127.0.0.1:15100", probeAddress: "off" }
upstreams: { v1: "127.0.0.1:9000", v2: "10.77.0.2:9000" }
routes: [{ name: api, upstream: v1, experiments: [ranking], failover: { after: 300ms } }]
experiments:
  ranking:
    variants: { control: {}, candidate: { weight: 50%, upstream: v2 } }
    breaker: { window: 2s, openFor: 1s, openForMax: 2s, slow: { threshold: 250ms } }
timeouts: { connect: 1s, firstByte: 2s }
propagation: { responseVariant: true }
accessLog: { enabled: false }
exposures: { enabled: false }
YAML
fairlead() { ip netns exec "$near" node "$root/src/main.ts" "$@"; }
fairlead run -c "$folder/config.yaml" 2>"$folder/log" &
until grep -q ' is ready: ' "$folder/log"; do sleep 0.1; done

look() {
  echo "== $1"
  fairlead load http://127.0.0.1:15106/ -d "$seconds" -n 8 || true
  fairlead get breakers | sed -n '/candidate/p'
}

# Not every kernel has it: without, only the cable is pulled.
try() {
  local what=$1
  shift
  if ip netns exec "$far" tc qdisc replace dev far root netem "$@" 2>/dev/null; then look "$what"; else echo "== $what: this kernel has no netem"; fi
}

look 'a good network'
try 'answers that take 80 to 120 ms longer' delay 100ms 20ms
try 'answers that take 400 ms longer, which is slow' delay 400ms
try 'one packet of 20 is lost' loss 5%
try 'three packets of ten are lost' loss 30%
try 'nothing comes back' loss 100%
ip netns exec "$far" tc qdisc del dev far root 2>/dev/null || true
ip -n "$far" link set far down
look 'the cable is out'
ip -n "$far" link set far up
sleep 3
look 'a good network again'
grep -o 'breaker api/ranking/candidate: [^"]*' "$folder/log"
