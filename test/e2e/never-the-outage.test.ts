/**
 * Fairlead never becomes the outage: with every experiment broken, every sink down and the configuration gone, traffic to
 * control flows. A real process; everything that it may need beside its upstream is taken away from it at once.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Asker, type AskOptions } from '../support/ask.ts';
import { fixedUpstream, rawUpstream } from '../support/peers.ts';
import { runSidecar } from '../support/process.ts';

const TOKEN = 'outage-token';
/** On a connection, one after another. */
const CLIENTS = 8;
const REQUESTS = 60;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Where nobody listens. */
async function nowhere(): Promise<string> {
  const gone = await fixedUpstream('');
  await gone.close();
  return gone.endpoint;
}

async function upstreams() {
  const control = await fixedUpstream('HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\ncontrol');
  const failing = await fixedUpstream('HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n');
  const garbage = await fixedUpstream('220 smtp.example.com ready\r\n\r\n');
  const silent = await rawUpstream(() => {});
  closers.push(() => Promise.all([control, failing, garbage, silent].map((one) => one.close())));
  return {
    control: control.endpoint,
    failing: failing.endpoint,
    garbage: garbage.endpoint,
    silent: silent.endpoint,
  };
}

async function start(workers: number) {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-outage-'));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  const { control, ...broken } = await upstreams();
  const dead = await nowhere();
  const candidates = { ...broken, dead };
  const names = Object.keys(candidates);
  const config = {
    version: 1,
    workers,
    requireMetadata: false,
    listeners: [{ name: 'inbound', address: '127.0.0.1:0' }],
    admin: { address: '127.0.0.1:0', probeAddress: '127.0.0.1:0', token: TOKEN },
    upstreams: { control, ...candidates },
    routes: names.map((name) => ({
      name,
      match: { path: `/${name}` },
      upstream: 'control',
      experiments: [name],
    })),
    experiments: Object.fromEntries(
      names.map((name) => [
        name,
        {
          variants: {
            control: { weight: '0%' },
            candidate: { weight: '100%', upstream: name, concurrency: 4 },
          },
          breaker: { minimumRequests: 5, slow: { threshold: '2s' }, openFor: '1h', openForMax: '1h' },
        },
      ]),
    ),
    timeouts: { firstByte: '4s', connect: '4s' },
    // Nothing can be written to these, nor read again from those.
    exposures: { file: '/dev/full' },
    stateFile: 'state/state.json',
    overload: { memory: '95%', eventLoopDelay: '10s' },
  };
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config));
  mkdirSync(join(folder, 'state'));
  const sidecar = await runSidecar('config.yaml', folder);
  closers.push(() => sidecar.child.kill('SIGKILL'));
  return { sidecar, names, folder };
}

/** What came of many requests, each counted by its body, or its status when that is not 200. */
async function ask(port: number, paths: readonly string[], options: AskOptions = {}) {
  const counts: Record<string, number> = {};
  const client = async (number: number): Promise<void> => {
    const asker = new Asker(port, 1);
    for (let i = 0; i < REQUESTS; i++) {
      const headers = { 'x-user-id': `u-${number}-${i}`, ...options.headers };
      const path = paths[(number + i) % paths.length]!;
      const { status, body } = await asker.ask({ ...options, path, headers });
      const what = status === 200 ? body : String(status);
      counts[what] = (counts[what] ?? 0) + 1;
    }
    asker.close();
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
  return counts;
}

const ALL_CONTROL = { control: CLIENTS * REQUESTS };
/** Whoever has it gets control, whatever happens to the experiments. */
const FORCED = { 'x-experiment-override': 'never' };

describe.skipIf(process.platform !== 'linux')(
  'with every experiment broken, every sink down, and the configuration gone',
  () => {
    it.each([1, 2])(
      'control traffic flows (workers: %d)',
      async (workers) => {
        const { sidecar, names, folder } = await start(workers);
        const paths = names.map((name) => `/${name}`);
        const port = sidecar.ports.inbound!;
        const admin = new Asker(sidecar.ports.admin!);
        closers.push(() => admin.close());
        // All at once: nobody reads the access log any more, and the files are gone with their folders.
        sidecar.child.stdout!.destroy();
        rmSync(join(folder, 'config.yaml'));
        rmSync(join(folder, 'state'), { recursive: true });

        // While the experiments break, one request after another, nobody on control sees anything of it.
        const [forced] = await Promise.all([ask(port, paths, { headers: FORCED }), ask(port, paths)]);
        expect(forced).toEqual(ALL_CONTROL);
        const open = async () => {
          const { breakers } = JSON.parse((await admin.ask({ path: '/v1/breakers' })).body) as {
            breakers: { name: string; state: string }[];
          };
          return breakers.filter(({ name, state }) => name.endsWith('/candidate') && state === 'open').length;
        };
        await expect.poll(open, { timeout: 20_000 }).toBe(names.length);

        // From now on nobody does, with a body or without one.
        expect(await ask(port, paths)).toEqual(ALL_CONTROL);
        expect(await ask(port, paths, { method: 'POST', body: 'x'.repeat(1000) })).toEqual(ALL_CONTROL);

        // People ask for things that cannot be done, or not be kept.
        sidecar.child.kill('SIGHUP');
        await expect
          .poll(() => sidecar.log(), { timeout: 20_000 })
          .toMatch(/config\.yaml.*refused, nothing was changed/);
        const authorization = `Bearer ${TOKEN}`;
        const kill = await admin.ask({
          method: 'POST',
          path: `/v1/experiments/${names[0]}:kill`,
          headers: { authorization, 'content-type': 'application/json' },
          body: '{"reason":"broken"}',
        });
        expect(kill.status).toBe(200);
        expect(await ask(port, paths)).toEqual(ALL_CONTROL);

        // What could not be written is said, and counted where it was given up.
        const dropped = async () =>
          Number(
            /^fairlead_access_log_dropped_total (\d+)$/m.exec(
              (await admin.ask({ path: '/metrics' })).body,
            )?.[1],
          );
        await expect.poll(dropped, { timeout: 20_000 }).toBeGreaterThan(0);
        await expect.poll(() => sidecar.log(), { timeout: 20_000 }).toMatch(/"msg":"exposures: .*ENOSPC/);
        expect((await admin.ask({ path: '/readyz' })).status).toBe(200);
        sidecar.child.kill('SIGTERM');
        expect(await sidecar.exited).toBe(0);
      },
      60_000,
    );
  },
);
