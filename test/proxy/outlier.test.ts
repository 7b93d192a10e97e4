/** Several endpoints on real sockets: who is put aside, comes back, is slow, is drained, or is taken out. */
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { forwardPlane, MINUTE_MS } from '../support/forward-clock.ts';
import type { RawClient } from '../support/peers.ts';
import type { TestPlane } from '../support/plane.ts';
import { answer, configOf, get, ok, type Upstream, useRig } from '../support/rig.ts';

const rig = useRig();

/** Who is put aside stays there as long as a test takes. */
const LONG = { ejectFor: '1h', ejectForMax: '1h' };
const FAILED = 'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\nbad';

/** Three endpoints that answer with their number; `answers` says what one of them does instead. */
async function three(settings: object, answers: (index: number, socket: Socket) => boolean = () => false) {
  const upstreams = await Promise.all(
    [0, 1, 2].map((index) =>
      rig.upstream(({ socket }) => {
        if (!answers(index, socket)) socket.write(ok(String(index)));
      }),
    ),
  );
  const endpoints = upstreams.map(({ endpoint }) => endpoint);
  const app = { endpoints, outlier: LONG, ...settings };
  const plane = await forwardPlane(rig, endpoints, { upstreams: { app } });
  return { plane, upstreams, endpoints, client: rig.client(plane.port) };
}

async function bodies(client: RawClient, count: number, fields = ''): Promise<string[]> {
  const found: string[] = [];
  for (let i = 0; i < count; i++) {
    client.send(get('/', fields));
    found.push((await answer(client)).body);
  }
  return found;
}

function stateOf(plane: TestPlane, { endpoint }: Upstream) {
  return plane.plane.upstreams()[0]!.endpoints.find(({ id }) => id === endpoint)!;
}

describe('an endpoint of three that fails fast', () => {
  it('is put aside after five failures, and its siblings serve everything', async () => {
    const { client, upstreams, plane } = await three(
      {},
      (index, socket) => index === 1 && socket.write(FAILED),
    );
    const before = await bodies(client, 15);
    expect(before.filter((body) => body === 'bad')).toHaveLength(5);
    expect(stateOf(plane, upstreams[1]!)).toMatchObject({
      state: 'ejected',
      reason: '5 failures in a row, the limit is 5',
    });
    expect(new Set(await bodies(client, 20))).toEqual(new Set(['0', '2']));
    expect(upstreams[1]!.requests).toHaveLength(5);
    expect(
      plane.plane.metrics.endpoints.ejections('app', upstreams[1]!.endpoint, 'consecutive-failures').value,
    ).toBe(1);
  });

  it('gets requests again when its time is up, and keeps them when it is well', async () => {
    let isWell = false;
    const { plane, upstreams } = await three(
      { outlier: { consecutiveFailures: 3, ...LONG } },
      (index, socket) => index === 1 && !isWell && socket.write(FAILED),
    );
    let client = rig.client(plane.port);
    await bodies(client, 9);
    expect(stateOf(plane, upstreams[1]!).state).toBe('ejected');
    isWell = true;
    await plane.forward(50 * MINUTE_MS);
    expect(stateOf(plane, upstreams[1]!).state).toBe('ejected');
    await plane.forward(10 * MINUTE_MS);
    expect(stateOf(plane, upstreams[1]!).state).toBe('ok');
    client = rig.client(plane.port);
    expect(new Set(await bodies(client, 6))).toEqual(new Set(['0', '1', '2']));
  });

  it('is put aside when it cannot be connected, and no client sees it', async () => {
    const { client, upstreams, plane } = await three({});
    upstreams[2]!.close();
    expect(new Set(await bodies(client, 30))).toEqual(new Set(['0', '1']));
    expect(stateOf(plane, upstreams[2]!).state).toBe('ejected');
    expect(stateOf(plane, upstreams[2]!).connectFailures).toBe(5);
  });

  it('with outlier: false keeps its share', async () => {
    const { client } = await three(
      { outlier: false },
      (index, socket) => index === 1 && socket.write(FAILED),
    );
    expect((await bodies(client, 30)).filter((body) => body === 'bad')).toHaveLength(10);
  });

  it('a reload of other settings keeps it aside', async () => {
    const { client, plane, upstreams, endpoints } = await three(
      {},
      (index, socket) => index === 1 && socket.write(FAILED),
    );
    await bodies(client, 15);
    plane.reload(configOf(endpoints, { upstreams: { app: { endpoints, connectionsMax: 7 } } }));
    expect(stateOf(plane, upstreams[1]!).state).toBe('ejected');
    expect(await bodies(client, 10)).not.toContain('bad');
  });
});

describe('all three fail', () => {
  it('and nobody is put aside', async () => {
    const { client, plane } = await three({}, (_index, socket) => socket.write(FAILED));
    expect(new Set(await bodies(client, 60))).toEqual(new Set(['bad']));
    expect(plane.plane.upstreams()[0]!.endpoints.map(({ state }) => state)).toEqual(['ok', 'ok', 'ok']);
  });
});

/** Time that passes only while all who ask wait: everybody is as fast as he should be, and not as the machine is. */
class WorkClock implements Clock {
  #atMs = 0;
  #asking: number;
  readonly #work: { readonly endMs: number; readonly answer: () => void }[] = [];

  /** So many ask, one request after another each. */
  constructor(asking: number) {
    this.#asking = asking;
  }

  now(): number {
    return this.#atMs;
  }

  wallMs(): number {
    return systemClock.wallMs();
  }

  /** A request that takes so long. */
  take(ms: number, answer: () => void): void {
    this.#work.push({ endMs: this.#atMs + ms, answer });
    this.#goOn();
  }

  /** One of them does not ask any more. */
  leave(): void {
    this.#asking--;
    this.#goOn();
  }

  #goOn(): void {
    if (this.#work.length < this.#asking || this.#asking === 0) return;
    const { endMs, answer } = this.#work.sort((one, other) => one.endMs - other.endMs).shift()!;
    this.#atMs = endMs;
    answer();
  }
}

describe('an endpoint that is slow', () => {
  it.each(['leastRequest', 'peakEwma'] as const)('gets fewer requests with %s', async (balance) => {
    const clock = new WorkClock(6);
    const upstreams = await Promise.all(
      [60, 1, 1].map((ms) => rig.upstream(({ socket }) => clock.take(ms, () => socket.write(ok())))),
    );
    const endpoints = upstreams.map(({ endpoint }) => endpoint);
    const { port } = await rig.plane(endpoints, { upstreams: { app: { endpoints, balance } } }, clock);
    const ask = async () => {
      await bodies(rig.client(port), 40);
      clock.leave();
    };
    await Promise.all(Array.from({ length: 6 }, ask));
    const [slow, ...fast] = upstreams.map(({ requests }) => requests.length);
    expect(slow).toBeLessThan(Math.min(...fast) / 2);
  });

  it('gets as many as the others in turn', async () => {
    const { plane, upstreams } = await three({ balance: 'roundRobin' });
    const clients = Array.from({ length: 4 }, () => rig.client(plane.port));
    await Promise.all(clients.map((client) => bodies(client, 30)));
    expect(upstreams.map(({ requests }) => requests.length)).toEqual([40, 40, 40]);
  });
});

describe('ringHash', () => {
  it('keeps a user at an endpoint, and only those of one that is gone move', async () => {
    const { client, plane, endpoints } = await three({
      balance: 'ringHash',
      hashKey: { header: 'x-user-id' },
    });
    // So many that none of the three is without: ports, and with them the ring, differ each time.
    const users = Array.from({ length: 150 }, (_, index) => `x-user-id: u-${index}\r\n`);
    const ask = async (): Promise<string[]> => {
      const found: string[] = [];
      for (const user of users) found.push(...(await bodies(client, 1, user)));
      return found;
    };
    const before = await ask();
    expect(await ask()).toEqual(before);
    expect(new Set(before).size).toBe(3);
    plane.reload(
      configOf(endpoints, {
        upstreams: {
          app: { endpoints: endpoints.slice(0, 2), balance: 'ringHash', hashKey: { header: 'x-user-id' } },
        },
      }),
    );
    const after = await ask();
    for (const [index, body] of before.entries()) if (body !== '2') expect(after[index]).toBe(body);
    expect(after).not.toContain('2');
  });

  it('reads cookies, and chooses as it likes for those without', async () => {
    const { client } = await three({ balance: 'ringHash', hashKey: [{ cookie: 'sid' }] });
    expect(new Set(await bodies(client, 6, 'cookie: sid=abc\r\n')).size).toBe(1);
    expect(new Set(await bodies(client, 6)).size).toBe(3);
  });
});

describe('the only endpoint that is not put aside fails', () => {
  /** The first has been put aside, is well again, and has a long time to go. */
  async function asideAndWell(settings: object = {}) {
    let isWell = false;
    const rigged = await three(settings, (index, socket) => index === 0 && !isWell && socket.write(FAILED));
    const users = (from: number) => (i: number) => `x-user-id: u-${from + i}\r\n`;
    const ask = async (count: number, from = 0): Promise<string[]> => {
      const found: string[] = [];
      for (let i = 0; i < count; i++) found.push(...(await bodies(rigged.client, 1, users(from)(i))));
      return found;
    };
    await ask(200);
    expect(stateOf(rigged.plane, rigged.upstreams[0]!).state).toBe('ejected');
    isWell = true;
    return { ...rigged, ask };
  }

  it.each([{}, { balance: 'ringHash', hashKey: { header: 'x-user-id' } }])(
    'and the same request is sent to the one that is (%j)',
    async (settings) => {
      const { plane, upstreams, ask } = await asideAndWell(settings);
      plane.plane.drainEndpoints([{ upstream: 'app', endpoint: upstreams[1]!.endpoint }]);
      expect(new Set(await ask(10))).toEqual(new Set(['2']));
      upstreams[2]!.close();
      expect(new Set(await ask(20))).toEqual(new Set(['0']));
      expect(stateOf(plane, upstreams[0]!).state).toBe('ejected');
    },
  );

  it('but not to one that was taken out by hand', async () => {
    const { plane, upstreams, ask } = await asideAndWell();
    plane.plane.drainEndpoints([{ upstream: 'app', endpoint: upstreams[0]!.endpoint }]);
    upstreams[1]!.close();
    upstreams[2]!.close();
    const asked = upstreams[0]!.requests.length;
    const answers = await ask(10);
    expect(answers.filter((body) => body === '0')).toEqual([]);
    expect(upstreams[0]!.requests).toHaveLength(asked);
  });
});
