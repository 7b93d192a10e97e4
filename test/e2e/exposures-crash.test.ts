/**
 * Exposures and SIGKILL: 100,000 of them through a sidecar that is killed in the middle, to a sink that is slow and
 * loses answers. What was accepted into the spool arrives, at least once, with one id.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { readRecords } from '../../src/telemetry/pipeline/spool-record.ts';
import { EventSink, type TakenEvent } from '../support/event-sink.ts';
import { fixedUpstream } from '../support/peers.ts';
import { runSidecar } from '../support/process.ts';

const EXPERIMENTS = 10;
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const STATUS = 'HTTP/1.1 200';
const WINDOW = 200;

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function configOf(endpoint: string, url: string, workers: number): string {
  const names = Array.from({ length: EXPERIMENTS }, (_, index) => `e${index}`);
  return `
version: 1
service: checkout
workers: ${workers}
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
upstreams: { v1: { endpoints: ["${endpoint}"] } }
routes: [{ name: api, upstream: v1, experiments: [${names.join(', ')}] }]
experiments:
${names.map((name) => `  ${name}: { status: running, unit: [{ header: x-user-id }], variants: { control: {}, candidate: { weight: 50% } } }`).join('\n')}
admin: { address: "off", probeAddress: "off" }
accessLog: { enabled: false }
exposures:
  unitKeys: [{ id: k1, key: a-key }]
  spool: { dir: spool, segmentBytes: 1MiB, fsync: "off" }
  sinks: [{ name: lake, kind: http, url: "${url}", batchEvents: 1000 }]
`;
}

/**
 * Requests `from` to `to`, each of a user of its own, over one connection; resolves with how many were answered when all
 * are, or when the connection is gone. `onAnswered` is told how many so far.
 */
function send(port: number, from: number, to: number, onAnswered = (_: number): void => {}): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let sent = from;
    let answered = 0;
    let rest = '';
    const more = (): void => {
      let text = '';
      for (; sent < to && sent - from - answered < WINDOW; sent++)
        text += `GET / HTTP/1.1\r\nhost: a\r\nx-user-id: u${sent}\r\nx-request-id: r${sent}\r\n\r\n`;
      if (text !== '') socket.write(text);
    };
    socket.on('connect', more);
    socket.on('data', (chunk) => {
      const parts = (rest + chunk.toString('latin1')).split(STATUS);
      answered += parts.length - 1;
      // Of a status line that is cut in two.
      rest = parts.at(-1)!.slice(1 - STATUS.length);
      onAnswered(answered);
      if (answered === to - from) socket.end();
      else more();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answered));
  });
}

/** Ids of the events that are on disk. */
async function spooled(folder: string): Promise<Set<string>> {
  const ids = new Set<string>();
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith('segment-')) continue;
    const bytes = await readFile(join(folder, name)).catch(() => Buffer.alloc(0));
    const { events } = readRecords(bytes, { eventsMax: 1e9, bytesMax: 1e9 });
    for (const event of events) ids.add((JSON.parse(event.toString()) as TakenEvent).id);
  }
  return ids;
}

it.each([
  [1, 10_000],
  [2, 4000],
])(
  'nothing that was accepted is lost by kill -9, with %i processes',
  async (workers, requests) => {
    // Answered, and known to be accepted, before those in whose middle the sidecar is killed.
    const settled = requests * 0.3;
    const cwd = await mkdtemp(join(tmpdir(), 'fairlead-crash-'));
    closers.push(() => rm(cwd, { recursive: true, force: true }));
    const upstream = await fixedUpstream(ANSWER);
    closers.push(() => upstream.close());
    const sink = await new EventSink().start();
    closers.push(() => sink.close());
    // Slow, and now and then an answer is lost on its way.
    sink.answer = (response, batch) => {
      setTimeout(() => (batch % 60 === 4 ? response.destroy() : response.writeHead(202).end()), 20);
    };
    await writeFile(join(cwd, 'fairlead.yaml'), configOf(upstream.endpoint, sink.url, workers));
    const spool = join(cwd, 'spool');

    const first = await runSidecar('fairlead.yaml', cwd);
    closers.push(() => first.child.kill('SIGKILL'));
    expect(await send(first.ports.inbound!, 0, settled)).toBe(settled);
    const accepted = async () => new Set([...(await spooled(spool)), ...sink.events.keys()]);
    await expect
      .poll(async () => (await accepted()).size, { timeout: 60_000, interval: 200 })
      .toBe(settled * EXPERIMENTS);
    const killedAt = (requests - settled) / 3;
    const answered = await send(first.ports.inbound!, settled, requests, (count) => {
      // From here on, what is accepted is only on disk.
      if (count >= killedAt / 2) sink.isTaking = false;
      if (count >= killedAt) first.child.kill('SIGKILL');
    });
    await first.exited;
    expect(answered).toBeLessThan(requests - settled);
    const atKill = await accepted();
    expect(atKill.size).toBeGreaterThanOrEqual(settled * EXPERIMENTS);
    expect(sink.events.size).toBeLessThan(atKill.size);
    sink.isTaking = true;

    const second = await runSidecar('fairlead.yaml', cwd);
    closers.push(() => second.child.kill('SIGKILL'));
    const rest = settled + answered;
    expect(await send(second.ports.inbound!, rest, requests)).toBe(requests - rest);
    const isWanted = (id: string): boolean => !sink.events.has(id);
    const fresh = () =>
      [...sink.events.values()].filter(({ data }) => Number(String(data.request_id).slice(1)) >= rest);
    await sink.signal.until(
      () => ![...atKill].some(isWanted) && fresh().length >= (requests - rest) * EXPERIMENTS,
      () => `${[...atKill].filter(isWanted).length} accepted events, ${fresh().length} new ones`,
      60_000,
    );
    second.child.kill('SIGTERM');
    expect(await second.exited).toBe(0);
    expect(sink.repeated).toBeGreaterThan(0);
    expect(sink.areRepetitionsSame).toBe(true);
    expect(sink.events.size).toBeGreaterThanOrEqual(atKill.size + (requests - rest) * EXPERIMENTS);
    expect(sink.events.size).toBeLessThanOrEqual(requests * EXPERIMENTS + WINDOW * EXPERIMENTS);
  },
  120_000,
);
