/** Faults made on purpose, as clients, upstreams, breakers and the records see them. */
import { describe, expect, it } from 'vitest';
import { forwardPlane, MINUTE_MS } from '../support/forward-clock.ts';
import { field } from '../support/message.ts';
import { answer, get, ok, post, type Upstream, useRig } from '../support/rig.ts';

const rig = useRig();

const healthy = (): Promise<Upstream> => rig.upstream(({ socket, body }) => socket.write(ok(`ok ${body}`)));

/** One route to one upstream, with a fault. */
async function faulted(fault: object, settings: object = {}, upstream?: Upstream) {
  const app = upstream ?? (await healthy());
  const routes = [{ name: 'all', match: { path: '/*' }, upstream: 'app', fault }];
  const proxy = await rig.plane([app.endpoint], { routes, ...settings });
  return { app, ...proxy, client: rig.client(proxy.port) };
}

/** A route with an experiment whose candidate has a fault. */
async function faultedCandidate(fault: object, breaker: object | false = false, route: object = {}) {
  const [control, candidate] = [await healthy(), await healthy()];
  const settings = {
    upstreams: { app: [control.endpoint], v2: [candidate.endpoint] },
    routes: [{ name: 'all', match: { path: '/*' }, upstream: 'app', experiments: ['ranking'], ...route }],
    timeouts: { firstByte: '0' },
    experiments: {
      ranking: { variants: { control: {}, candidate: { weight: '50%', upstream: 'v2', fault } }, breaker },
    },
  };
  const proxy = await forwardPlane(rig, [control.endpoint], settings);
  const client = rig.client(proxy.port);
  const ask = (variant: 'always' | 'never', fields = '') =>
    answer(client.send(get('/', `x-experiment-override: ${variant}\r\n${fields}`)));
  return { control, candidate, ...proxy, ask };
}

async function countedFaults({ plane }: Awaited<ReturnType<typeof faulted>>): Promise<string[]> {
  const page = await plane.metrics.render();
  return page.split('\n').filter((line) => line.startsWith('fairlead_faults_total{'));
}

describe('an abort', () => {
  it('is an answer of the upstream that the upstream knows nothing of', async () => {
    const world = await faulted({ abort: { status: 503 } });
    for (let i = 0; i < 3; i++) {
      const got = await answer(world.client.send(get()));
      expect([got.status, got.body, field(got, 'x-fairlead-fault')]).toEqual([503, '', 'abort']);
    }
    expect(world.app.requests).toHaveLength(0);
    // The connection that it stood in for is as good as before.
    expect(world.app.sockets).toHaveLength(1);
    expect(world.access).toHaveLength(3);
    expect(world.access[0]).toMatchObject({ status: 503, outcome: 'failure', fault: 'abort', code: null });
    expect(await countedFaults(world)).toEqual([
      'fairlead_faults_total{route="all",experiment="",variant="",kind="abort"} 3',
    ]);
  });

  it.each([
    ['HEAD', 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['POST with a body', post('x'.repeat(100_000))],
    ['chunked POST', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'],
  ])('answers %s, and the client goes on', async (_, request) => {
    const world = await faulted({ abort: { status: 500 }, when: { header: 'x-game-day' } });
    const marked = request.replace('\r\n', '\r\nX-Game-Day: 1\r\n');
    const got = await answer(world.client.send(marked), { isBodiless: request.startsWith('HEAD') });
    expect(got.status).toBe(500);
    const next = field(got, 'connection') === 'close' ? rig.client(world.port) : world.client;
    expect((await answer(next.send(get()))).body).toBe('ok ');
    expect(world.app.requests).toHaveLength(1);
  });

  it('of a variant opens its breaker, and the other variant is spared', async () => {
    const breaker = { minimumRequests: 5, errorRate: '50%', openFor: '60s' };
    const { ask, control, candidate, transitions, access } = await faultedCandidate(
      { abort: { status: 500 } },
      breaker,
    );
    for (let i = 0; i < 5; i++) expect((await ask('never')).status).toBe(200);
    for (let i = 0; i < 5; i++) expect((await ask('always')).status).toBe(500);
    expect(transitions).toMatchObject([{ breaker: 'all/ranking/candidate', to: 'open' }]);
    // From now on control answers, and it has no fault.
    expect((await ask('always')).status).toBe(200);
    expect(access.at(-1)).toMatchObject({
      fault: '',
      experiments: [{ served: 'control', reason: 'breaker' }],
    });
    expect([control.requests.length, candidate.requests.length]).toEqual([6, 0]);
  });

  it('with a status that control answers in its place is answered by control, and on record all the same', async () => {
    const { ask, control, candidate, access } = await faultedCandidate({ abort: { status: 503 } });
    const got = await ask('always', 'x-experiment-explain: 1\r\n');
    expect(got.status).toBe(200);
    expect(field(got, 'x-experiment-reason')).toBe(
      'ranking=override;served=control;cause=failover;fault="abort"',
    );
    const experiments = [{ assigned: 'candidate', served: 'control', reason: 'failover' }];
    expect(access).toMatchObject([{ status: 200, fault: 'abort', experiments }]);
    expect([control.requests.length, candidate.requests.length]).toEqual([1, 0]);
  });

  it('is told to whoever asks for the reason', async () => {
    const { ask } = await faultedCandidate({ abort: { status: 500 } });
    const explain = 'x-experiment-explain: 1\r\n';
    expect(field(await ask('always', explain), 'x-experiment-reason')).toBe('ranking=override;fault="abort"');
    expect(field(await ask('never', explain), 'x-experiment-reason')).toBe('ranking=override');
  });
});

describe('a delay', () => {
  it("is the upstream's own slowness", async () => {
    const world = await faulted({ delay: { duration: '150ms' } });
    const got = await answer(world.client.send(post('hello')));
    expect(got.body).toBe('ok hello');
    const [record] = world.access;
    expect(record).toMatchObject({ status: 200, fault: 'delay', outcome: 'ok' });
    expect(record!.upstreamMs).toBeGreaterThan(140);
    // The upstream had it at once.
    expect(world.app.requests).toHaveLength(1);
  });

  it('opens a breaker while the answer is still held back', async () => {
    const { ask, transitions, candidate, forward } = await faultedCandidate(
      { delay: { duration: '60s' } },
      { minimumRequests: 1, slow: { threshold: '1h' }, openFor: '60s' },
    );
    void ask('always').catch(() => {});
    await candidate.request();
    await forward(60 * MINUTE_MS);
    await expect.poll(() => transitions).toMatchObject([{ to: 'open' }]);
  });

  it('runs into the time that an upstream has for its first byte', async () => {
    const world = await faulted({ delay: { duration: '60s' } }, { timeouts: { firstByte: '100ms' } });
    const got = await answer(world.client.send(get()));
    expect([got.status, got.problem?.code]).toEqual([504, 'upstream_first_byte_timeout']);
    expect(world.access[0]).toMatchObject({ fault: 'delay', outcome: 'failure' });
    await world.app.left();
  });

  it('that control does not wait out leaves no connection that waits', async () => {
    const { ask, control, candidate, forward } = await faultedCandidate(
      { delay: { duration: '60s' } },
      false,
      { failover: { after: '1h' } },
    );
    const asked = ask('always');
    await candidate.request();
    await forward(60 * MINUTE_MS);
    expect((await asked).status).toBe(200);
    await candidate.left();
    expect([control.requests.length, candidate.requests.length]).toEqual([1, 1]);
  });

  it('changes no byte, whatever the length and however it is cut', async () => {
    const body = Array.from({ length: 40_000 }, (_, i) => `${i},`).join('');
    const app = await rig.upstream(({ socket }) => {
      const text = ok(body);
      socket.write(text.slice(0, 10));
      setImmediate(() => socket.write(text.slice(10)));
    });
    const world = await faulted({ delay: { duration: '30ms', jitter: '20ms' } }, {}, app);
    for (let i = 0; i < 3; i++) {
      const got = await answer(world.client.send(get()));
      expect(got.body === body).toBe(true);
    }
    expect(app.sockets).toHaveLength(1);
  });

  it('ends with a client that leaves', async () => {
    const world = await faulted({ delay: { duration: '60s' } });
    world.client.send(get());
    await world.app.request();
    world.client.socket.resetAndDestroy();
    await world.app.left();
    expect(world.access).toMatchObject([{ code: 'client_aborted', outcome: 'ignored', fault: 'delay' }]);
  });

  it('comes before the abort that goes with it', async () => {
    const world = await faulted({ delay: { duration: '100ms' }, abort: { status: 502 } });
    const got = await answer(world.client.send(get()));
    expect(got.status).toBe(502);
    expect(world.access[0]!.fault).toBe('delay+abort');
    expect(world.access[0]!.upstreamMs).toBeGreaterThan(90);
    expect(world.app.requests).toHaveLength(0);
  });
});

describe('a reset', () => {
  it('is a connection that the upstream has cut, before it has done anything', async () => {
    const world = await faulted({ reset: {} });
    const got = await answer(world.client.send(post('once')));
    expect([got.status, got.problem?.code]).toEqual([502, 'upstream_reset']);
    expect(world.access[0]).toMatchObject({ fault: 'reset', outcome: 'failure', retries: 0 });
    await world.app.left();
    expect(world.app.requests).toHaveLength(0);
  });

  it('under an idempotent request on a pooled connection is tried again, and the next attempt may be hit as well', async () => {
    const world = await faulted({ reset: {}, when: { header: 'x-game-day' } });
    await answer(world.client.send(get('/warm')));
    const got = await answer(world.client.send(get('/', 'x-game-day: 1\r\n')));
    expect([got.status, got.problem?.code]).toEqual([502, 'upstream_reset']);
    expect(world.access[1]).toMatchObject({ retries: 1, fault: 'reset' });
    expect(await countedFaults(world)).toEqual([
      'fairlead_faults_total{route="all",experiment="",variant="",kind="reset"} 2',
    ]);
  });
});

describe('who is hit', () => {
  it('is only who has the header, with its value if one is asked for', async () => {
    const world = await faulted({ abort: { status: 500 }, when: { header: 'X-Game-Day', value: 'yes' } });
    const statuses: number[] = [];
    for (const fields of ['', 'x-game-day: no\r\n', 'x-game-day: yes\r\n'])
      statuses.push((await answer(world.client.send(get('/', fields)))).status);
    expect(statuses).toEqual([200, 200, 500]);
  });

  it('is about the share that the rate says', async () => {
    const world = await faulted({ abort: { status: 500, rate: '25%' } });
    let hit = 0;
    for (let i = 0; i < 400; i++) if ((await answer(world.client.send(get()))).status === 500) hit++;
    // 100 expected; five standard deviations are 43.
    expect(hit).toBeGreaterThan(56);
    expect(hit).toBeLessThan(144);
  });

  it('is nobody once it is over', async () => {
    const world = await faulted({ abort: { status: 500 }, until: '2020-01-01T00:00:00Z' });
    expect((await answer(world.client.send(get()))).status).toBe(200);
  });

  it('is nobody without a fault, and then nothing is looked at', async () => {
    const app = await healthy();
    const { plane } = await rig.plane([app.endpoint]);
    expect(plane.faults).toBeNull();
  });
});

describe('a fault of the admin API', () => {
  const scope = { route: 'all', experiment: null, variant: null };
  const fault = { delay: null, abort: { status: 500, ratio: 1 }, reset: null, when: null };
  const forever = { untilMs: Number.POSITIVE_INFINITY, untilWallMs: Number.POSITIVE_INFINITY };

  it('is in force from the next request on, over a reload, until it is taken away', async () => {
    const app = await healthy();
    const { plane, port } = await rig.plane([app.endpoint]);
    const client = rig.client(port);
    const status = async () => (await answer(client.send(get()))).status;
    expect(await status()).toBe(200);
    plane.inject([{ ...scope, fault, ...forever }]);
    expect(await status()).toBe(500);
    plane.adopt(plane.plan.snapshot);
    expect(await status()).toBe(500);
    plane.inject([]);
    expect(await status()).toBe(200);
    expect(plane.faults).toBeNull();
  });

  it('ends by itself, by the clock that never jumps', async () => {
    const app = await healthy();
    const { plane, port } = await rig.plane([app.endpoint]);
    plane.inject([{ ...scope, fault, ...forever, untilMs: performance.now() - 1 }]);
    expect((await answer(rig.client(port).send(get()))).status).toBe(200);
  });
});
