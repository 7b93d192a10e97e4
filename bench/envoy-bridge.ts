/**
 * Does a real Envoy pick the variant that Fairlead has assigned? By the two configurations of docs/bridges.md, asked
 * for 1,000 users and an override of each variant. No part of the tests, which no machine without Envoy could run:
 * there `test/unit/experiment/bucket-number.test.ts` proves the arithmetic for all 1,000,000 slots. Exit 1: it does
 * not. Run, after bench/peers.sh: npm exec -c 'node bench/envoy-bridge.ts'
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blocks } from '../test/support/docs.ts';
import { fixedUpstream, RawClient } from '../test/support/peers.ts';
import { startPlane } from '../test/support/plane.ts';
import { findEnvoy } from './peers/envoy.ts';

const USERS = 1000;
const VARIANTS = ['control', 'left', 'right'];
const START_MAX_MS = 10_000;
const PORTS = `
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
admin: { address: off, probeAddress: off }
propagation: { responseVariant: true }
`;

const binary = findEnvoy();
if (binary === null) throw new Error('there is no Envoy; bench/peers.sh fetches one');
const folder = await mkdtemp(join(tmpdir(), 'fairlead-envoy-'));
const [own, theirs] = await blocks('docs/bridges.md', 'yaml');
const upstreams = await Promise.all(
  VARIANTS.map((name) => fixedUpstream(`HTTP/1.1 200 OK\r\ncontent-length: ${name.length}\r\n\r\n${name}`)),
);
const port = await freePort();
let text = theirs!.replace('port_value: 10000', `port_value: ${port}`);
for (const [index, upstream] of upstreams.entries())
  text = text.replace(`port_value: ${9001 + index}`, `port_value: ${upstream.port}`);
await writeFile(join(folder, 'envoy.yaml'), text);
const envoy = spawn(
  binary,
  ['-c', 'envoy.yaml', '--concurrency', '1', '--disable-hot-restart', '-l', 'error'],
  {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  },
);
const exited = once(envoy, 'exit');
try {
  await listening();
  const plane = await startPlane(own!.replace('127.0.0.1:10000', `127.0.0.1:${port}`) + PORTS);
  const client = new RawClient(plane.port);
  const wrong = await ask(client);
  client.close();
  plane.close();
  process.exitCode = wrong === 0 ? 0 : 1;
} finally {
  envoy.kill('SIGTERM');
  await exited;
  for (const upstream of upstreams) await upstream.close();
  await rm(folder, { recursive: true });
}

/** Prints what was picked; answers how many were not what was assigned. */
async function ask(client: RawClient): Promise<number> {
  const users = Array.from({ length: USERS }, (_, user) => `x-user-id: user-${user}\r\n`);
  const overrides = VARIANTS.map((name) => `x-experiment-override: ranking=${name}\r\n`);
  const picked = new Map<string, number>();
  let wrong = 0;
  for (const fields of [...users, ...overrides]) {
    client.send(`GET / HTTP/1.1\r\nHost: shop\r\n${fields}\r\n`);
    const response = await client.response();
    const assigned = /\r\nx-fairlead-variant: ranking=(\w+)\r\n/.exec(response)?.[1];
    const pick = response.slice(response.indexOf('\r\n\r\n') + 4);
    picked.set(pick, (picked.get(pick) ?? 0) + 1);
    if (pick !== assigned) wrong++;
  }
  const counts = VARIANTS.map((name) => `${name} ${picked.get(name) ?? 0}`);
  const asked = users.length + overrides.length;
  process.stdout.write(`${asked} requests: ${counts.join(', ')}; ${wrong} picked another than assigned\n`);
  return wrong;
}

async function listening(): Promise<void> {
  const endMs = performance.now() + START_MAX_MS;
  for (;;) {
    const { socket } = new RawClient(port);
    const isUp = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isUp) return;
    if (envoy.exitCode !== null || performance.now() > endMs) throw new Error('Envoy does not listen');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function freePort(): Promise<number> {
  const holder = await fixedUpstream('');
  await holder.close();
  return holder.port;
}
