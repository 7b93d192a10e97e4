/**
 * Clients that are slow or many on purpose, against a sidecar in a process of its own. What they cost is bounded, they
 * are given up in time, and another client's requests are answered all the while. Bounds are wide: they tell a leak
 * from none, not a good day from a bad one. For the figures: FAIRLEAD_FIGURES=1 npx vitest run test/proxy/slow-clients
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BIG_BYTES, type Hostile, reading, Siege } from '../support/siege.ts';

const MEBI = 1_048_576;
/** Requests of the neighbour that must have been answered while a siege lasted, or it says nothing. */
const ANSWERED_MIN = 20;
const DEADLINE_MS = 30_000;
/** More by hand: what each costs beyond the first shows only then. */
const READERS = Number(process.env.FAIRLEAD_READERS ?? 60);

/** What is awaited here are many sockets and another process: nothing tells when it has come. */
async function until(condition: () => boolean, what: () => string): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`Timed out waiting: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** `write` for every one of them again and again, until all are closed. */
async function trickle(
  hostiles: readonly Hostile[],
  write: (hostile: Hostile, turn: number) => void,
): Promise<void> {
  let turn = 0;
  const timer = setInterval(() => {
    for (const hostile of hostiles) if (!hostile.isClosed && hostile.socket.writable) write(hostile, turn);
    turn++;
  }, 50);
  try {
    await allClosed(hostiles);
  } finally {
    clearInterval(timer);
  }
}

function allClosed(hostiles: readonly Hostile[]): Promise<void> {
  const open = () => hostiles.filter(({ isClosed }) => !isClosed).length;
  return until(
    () => open() === 0,
    () => `${open()} clients are not closed`,
  );
}

/** First lines of what they got, each once. */
function startLines(hostiles: readonly Hostile[]): string[] {
  return [...new Set(hostiles.map(({ text }) => text.split('\r\n')[0]!))];
}

function report(siege: Siege, what: string, count: number): void {
  if (!process.env.FAIRLEAD_FIGURES) return;
  const grown = siege.grownBytes();
  console.log(
    `${what}: ${(grown / MEBI).toFixed(1)} MiB for ${count}, ${Math.round(grown / count / 1024)} KiB each`,
  );
}

/** The siege of one group of tests. */
function useSiege(settings: object): () => Siege {
  let siege: Siege;
  beforeAll(async () => {
    siege = await Siege.begin(settings);
  });
  afterAll(() => siege?.end());
  return () => siege;
}

describe.runIf(process.platform === 'linux')('many clients, or many pieces', () => {
  const at = useSiege({ timeouts: { requestHead: '4s' } });

  it('2000 clients that say nothing: all are closed in time, for a few KiB each', async () => {
    const siege = at();
    const neighbour = siege.neighbour();
    const hostiles = await siege.connect(2000);
    reading(hostiles);
    report(siege, 'connections that say nothing', hostiles.length);
    expect(siege.grownBytes()).toBeLessThan(48 * MEBI);
    await allClosed(hostiles);
    expect(startLines(hostiles)).toEqual(['']);
    const statuses = await neighbour.stop();
    expect([statuses.length > ANSWERED_MIN, new Set(statuses)]).toEqual([true, new Set(['200'])]);
  });

  it('2000 clients that stop in the middle of a head, and 300 that trickle one: the clock of the first byte counts', async () => {
    const siege = at();
    const neighbour = siege.neighbour();
    const served = siege.served;
    const [stopping, trickling] = [await siege.connect(2000), await siege.connect(300)];
    const all = [...stopping, ...trickling];
    reading(all);
    for (const { socket } of stopping) socket.write(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(200)}`);
    for (const { socket } of trickling) socket.write('GET / HTTP/1.1\r\nHost: a\r\n');
    report(siege, 'half heads of 228 bytes', all.length);
    expect(siege.grownBytes()).toBeLessThan(64 * MEBI);
    await trickle(trickling, ({ socket }, turn) => socket.write('X: y\r\n'.slice(turn % 6, (turn % 6) + 1)));
    await allClosed(stopping);
    expect(startLines(all)).toEqual(['HTTP/1.1 408 Request Timeout']);
    const statuses = await neighbour.stop();
    expect([statuses.length > ANSWERED_MIN, new Set(statuses)]).toEqual([true, new Set(['200'])]);
    expect(siege.served).toBe(served + statuses.length);
  });

  it('300 clients that are refused and never close their side leave no socket behind', async () => {
    const siege = at();
    const hostiles = await siege.connect(300);
    reading(hostiles);
    for (const { socket } of hostiles) socket.write('GET / HTTP/1.1\r\n\r\n');
    await allClosed(hostiles);
    expect(startLines(hostiles)).toEqual(['HTTP/1.1 400 Bad Request']);
    await until(
      () => siege.moreSockets() <= 0,
      () => `${siege.moreSockets()} sockets more than before`,
    );
  });

  it('chunks of one byte, 15 MB of them, arrive whole, for next to no memory', async () => {
    const siege = at();
    const before = siege.grownBytes();
    const neighbour = siege.neighbour();
    const [hostile] = await siege.connect(1);
    reading([hostile!]);
    const { socket } = hostile!;
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    const block = '1\r\nx\r\n'.repeat(50_000);
    for (let i = 0; i < 300; i++)
      if (!socket.write(block)) await new Promise((resolve) => socket.once('drain', resolve));
    socket.write('0\r\n\r\n');
    await until(
      () => hostile!.text.endsWith('15000000'),
      () => `the answer, not ${hostile!.text}`,
    );
    expect(siege.grownBytes() - before).toBeLessThan(64 * MEBI);
    const statuses = await neighbour.stop();
    expect([statuses.length > ANSWERED_MIN, new Set(statuses)]).toEqual([true, new Set(['200'])]);
  });
});

describe.runIf(process.platform === 'linux')('bodies', () => {
  const at = useSiege({ timeouts: { stall: '4s', request: '6s', idle: '4s', upstreamIdle: '1s' } });

  it('that stop, and bodies that trickle: the first cost stall, the others the time of a request', async () => {
    const siege = at();
    const neighbour = siege.neighbour();
    const { accepted } = siege;
    const [stopping, trickling] = [await siege.connect(200), await siege.connect(200)];
    reading([...stopping, ...trickling]);
    for (const { socket } of [...stopping, ...trickling])
      socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc');
    await until(
      () => siege.accepted - accepted >= 400,
      () => `${siege.accepted - accepted} connections to the upstream`,
    );
    report(siege, 'bodies that do not come', 400);
    await trickle(trickling, ({ socket }) => socket.write('x'));
    await allClosed(stopping);
    expect(siege.grownBytes()).toBeLessThan(48 * MEBI);
    expect(startLines(stopping)).toEqual(['HTTP/1.1 408 Request Timeout']);
    expect(startLines(trickling)).toEqual(['HTTP/1.1 504 Gateway Timeout']);
    const statuses = await neighbour.stop();
    expect([statuses.length > ANSWERED_MIN, new Set(statuses)]).toEqual([true, new Set(['200'])]);
  });

  it('of clients that vanish behind their answer leave no socket behind', async () => {
    const siege = at();
    const hostiles = await siege.connect(300);
    reading(hostiles);
    for (const { socket } of hostiles)
      socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc');
    await until(
      () => hostiles.every(({ text }) => text.endsWith('3')),
      () => 'an answer for each',
    );
    await until(
      () => siege.moreSockets() <= 0,
      () => `${siege.moreSockets()} sockets more than before`,
    );
    await allClosed(hostiles);
  });
});

describe.runIf(process.platform === 'linux')('readers', () => {
  const at = useSiege({ timeouts: { stall: '4s', requestHead: '4s', upstreamIdle: '500ms' } });

  it('of 50 MB at a trickle, and not at all: the memory is that of their buffers, and who stops is cut', async () => {
    const siege = at();
    const neighbour = siege.neighbour();
    const [stopping, trickling] = [await siege.connect(READERS), await siege.connect(2)];
    for (const { socket } of [...stopping, ...trickling]) {
      socket.pause();
      socket.write('GET /big HTTP/1.1\r\nHost: a\r\n\r\n');
    }
    let read = 0;
    for (const { socket } of trickling) {
      socket.on('data', (chunk) => {
        read += chunk.length;
        socket.pause();
      });
    }
    // 64 KiB for each every 20 ms: no more than a tenth of the response while the others are given up.
    const timer = setInterval(() => {
      for (const { socket } of trickling) socket.resume();
    }, 20);
    await until(
      () => siege.moreSockets() > 2 * stopping.length,
      () => `${siege.moreSockets()} sockets for the readers and their responses`,
    );
    let most = 0;
    await until(
      () => {
        most = Math.max(most, siege.grownBytes());
        return siege.moreSockets() <= 10;
      },
      () => `${siege.moreSockets()} sockets are left`,
    );
    clearInterval(timer);
    if (process.env.FAIRLEAD_FIGURES)
      console.log(`at most ${(most / MEBI).toFixed(1)} MiB for ${READERS} readers of 50 MB`);
    expect(most).toBeLessThan(192 * MEBI);
    expect(trickling.some(({ isClosed }) => isClosed)).toBe(false);
    expect(read).toBeLessThan(2 * BIG_BYTES);
    const statuses = await neighbour.stop();
    expect([statuses.length > ANSWERED_MIN, new Set(statuses)]).toEqual([true, new Set(['200'])]);
  });

  it('of nothing, who ask 5,000 times each: only what fits is served, and then they are cut', async () => {
    const siege = at();
    const neighbour = siege.neighbour();
    const served = siege.served;
    const before = siege.grownBytes();
    const hostiles = await siege.connect(20);
    for (const { socket } of hostiles) {
      socket.pause();
      socket.write('GET /page HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(5000));
    }
    await until(
      () => siege.moreSockets() <= 10,
      () => `${siege.moreSockets()} sockets are left, ${siege.served - served} served`,
    );
    expect(siege.grownBytes() - before).toBeLessThan(96 * MEBI);
    const statuses = await neighbour.stop();
    expect(new Set(statuses)).toEqual(new Set(['200']));
    if (process.env.FAIRLEAD_FIGURES) console.log(`${siege.served - served - statuses.length} served`);
    expect(siege.served - served - statuses.length).toBeLessThan(20 * 5000);
  });
});
