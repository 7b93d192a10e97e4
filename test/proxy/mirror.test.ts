/** Mirroring over real sockets: who is asked what, what is found, and that the caller notices nothing. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { reportDiffs } from '../../src/analysis/diff/diff-report.ts';
import type { MirrorView } from '../../src/telemetry/mirror-view.ts';
import { field } from '../support/message.ts';
import { type Answer, answer, get, ok, post, type Received, type Upstream, useRig } from '../support/rig.ts';

const rig = useRig();

/** What an upstream answers to its nth request, from 1; null: nothing, ever. */
type Reply = (request: Received, count: number) => string | null;

const json = (body: object, fields = ''): string =>
  ok(JSON.stringify(body), `Content-Type: application/json\r\n${fields}`);

const same: Reply = () => json({ price: 1 });

interface World {
  readonly control: Reply;
  readonly candidate: Reply;
  readonly mirror?: object;
  readonly variants?: object;
  readonly more?: object;
}

async function world({ control: ofControl, candidate: ofCandidate, mirror, variants, more }: World) {
  const started = async (reply: Reply): Promise<Upstream> => {
    const upstream: Upstream = await rig.upstream((request) => {
      const text = reply(request, upstream.requests.length);
      if (text !== null) request.socket.write(text, 'latin1');
    });
    return upstream;
  };
  const control = await started(ofControl);
  const candidate = await started(ofCandidate);
  const { plane, access, exposures, port } = await rig.plane([], {
    upstreams: { app: { endpoints: [control.endpoint] }, next: { endpoints: [candidate.endpoint] } },
    routes: [{ name: 'all', upstream: 'app', experiments: ['ranking'] }],
    experiments: {
      ranking: {
        variants: variants ?? { control: {}, candidate: { weight: '0%', upstream: 'next' } },
        mirror: { share: '100%', rate: '1000/s', concurrency: 50, ...mirror },
      },
    },
    ...more,
  });
  const view = (): MirrorView => plane.mirrors.views()[0]!;
  const isQuiet = () => expect.poll(() => view().inFlight).toBe(0);
  /** One after the other, and all that is mirrored of them is over. */
  const send = async (count: number, text = get('/items')): Promise<Answer[]> => {
    const client = rig.client(port);
    const answers: Answer[] = [];
    for (let i = 0; i < count; i++) answers.push(await answer(client.send(text)));
    await isQuiet();
    return answers;
  };
  return { plane, access, exposures, port, control, candidate, view, send, isQuiet };
}

const mirrored = (upstream: Upstream): Received[] =>
  upstream.requests.filter((request) => field(request, 'x-fairlead-mirror') === '1');

const report = (view: MirrorView) => reportDiffs(view.diffs);

describe('a mirrored request', () => {
  it('goes to the candidate once and to control twice more, each as that variant', async () => {
    const { control, candidate, send, view } = await world({ control: same, candidate: same });
    const [got] = await send(1, get('/items?q=1', 'Authorization: Bearer t\r\nBaggage: a=b\r\n'));
    expect(got!.body).toBe('{"price":1}');
    expect([control.requests.length, candidate.requests.length]).toEqual([3, 1]);
    expect(mirrored(control)).toHaveLength(2);
    const [copy] = mirrored(candidate);
    expect(copy!.startLine).toBe('GET /items?q=1 HTTP/1.1');
    expect(field(copy!, 'x-experiment')).toBe('ranking=candidate');
    expect(field(copy!, 'baggage')).toBe('a=b,fairlead.ranking=candidate');
    expect(field(copy!, 'authorization')).toBe('Bearer t');
    expect(field(mirrored(control)[0]!, 'x-experiment')).toBe('ranking=control');
    expect(view().diffs).toMatchObject({ compared: 1, hits: { control: 0, candidate: 0 }, paths: [] });
  });

  it('is in no series, log, exposure or breaker', async () => {
    const { plane, access, exposures, send } = await world({
      control: same,
      candidate: () => 'HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n',
      variants: {
        control: { weight: '100%' },
        candidate: { weight: '0%', upstream: 'next' },
      },
    });
    await send(30, get('/', 'x-user-id: u1\r\n'));
    expect(access).toHaveLength(30);
    expect(new Set(exposures.map(({ served }) => served))).toEqual(new Set(['control']));
    const [counted] = await plane.metrics.samplesOf(['fairlead_requests_total']);
    const served = counted!.values.filter(({ labels }) => labels.variant === 'candidate');
    expect(served.reduce((total, { value }) => total + value, 0)).toBe(0);
    expect(plane.breakers().map(({ name, state }) => [name, state])).toContainEqual([
      'all/ranking/candidate',
      'closed',
    ]);
  });

  it('is not mirrored again by the next sidecar', async () => {
    const { control, candidate, send } = await world({ control: same, candidate: same });
    await send(1, get('/', 'X-Fairlead-Mirror: 1\r\n'));
    expect([control.requests.length, candidate.requests.length]).toEqual([1, 0]);
  });

  it('carries the hint for caches of the variant that it goes to', async () => {
    const { candidate, send } = await world({
      control: same,
      candidate: same,
      more: {
        routes: [{ name: 'all', upstream: 'app', experiments: ['ranking'], cache: { keyHint: 'x-key' } }],
      },
    });
    await send(1, get('/', 'x-user-id: u1\r\n'));
    expect(field(mirrored(candidate)[0]!, 'x-key')).toContain('candidate');
  });
});

describe('what is compared', () => {
  it('learns what is noise, and finds a field that changed by its path', async () => {
    const timed = (price: (id: number) => unknown): Reply => {
      return (_request, count) =>
        json({ at: performance.now() + count, items: [1, 2, 3].map((id) => ({ id, price: price(id) })) });
    };
    const { send, view } = await world({ control: timed((id) => id), candidate: timed(String) });
    await send(60);
    const { paths, verdict, regressions, samples } = report(view());
    expect(paths.map(({ path, kind }) => [path, kind])).toEqual([
      ['body /items/*/price', 'regression'],
      ['body /at', 'noise'],
    ]);
    expect(paths[0]).toMatchObject({ noise: 0, differences: 60 });
    expect(paths[0]!.last).toMatchObject({ control: { type: 'number' }, candidate: { type: 'string' } });
    expect(verdict.kind).toBe('regression');
    expect(regressions).toMatchObject({ candidate: 1 });
    // What is noise is known after three times.
    expect(regressions.control).toBe(3 / 60);
    // Values are not kept unless somebody says so.
    expect(samples).toEqual([]);
  });

  it('keeps the last values that differ when it is told to, and the same value has the same hash', async () => {
    const { send, view } = await world({
      control: () => json({ price: 1 }),
      candidate: () => json({ price: 2 }),
      mirror: { samples: true },
    });
    await send(5);
    const { samples, paths } = report(view());
    expect(samples).toHaveLength(2);
    expect(samples[0]).toMatchObject({
      route: 'all',
      path: 'body /price',
      control: '1',
      candidate: '2',
    });
    expect(paths[0]!.last!.control.hash).toMatch(/^[0-9a-f]{12}$/);
    expect(paths[0]!.last!.control.hash).not.toBe(paths[0]!.last!.candidate.hash);
  });

  it('is the status, fields and codings, and not when and by whom', async () => {
    const body = JSON.stringify({ a: 1 });
    const packed = gzipSync(body).toString('latin1');
    const { send, view } = await world({
      control: (_request, count) =>
        ok(body, `X-Kind: a\r\nX-Old: 1\r\nDate: ${count}\r\nETag: "${count}"\r\n`),
      candidate: () => ok(packed, 'X-Kind: b\r\nContent-Encoding: gzip\r\n').replace('200 OK', '206 Partial'),
      mirror: { compare: { ignoreHeaders: ['x-old', 'content-encoding'] } },
    });
    await send(12);
    const found = report(view()).paths.map(({ path, kind }) => [path, kind]);
    expect(found).toEqual([
      ['header x-kind', 'regression'],
      ['status', 'regression'],
    ]);
  });

  it('is the hash and length of a body that is too long to look into', async () => {
    const long = (end: string) => ok(JSON.stringify({ text: 'x'.repeat(5000), end }));
    const { send, view } = await world({
      control: () => long('a'),
      candidate: () => long('b'),
      mirror: { bodyMax: '1KiB', samples: true },
    });
    await send(12);
    const { paths, bytes, samples } = report(view());
    expect(paths.map(({ path, kind }) => [path, kind])).toEqual([['body', 'regression']]);
    expect(bytes.control).toBeGreaterThan(5000);
    expect(JSON.stringify(samples)).not.toContain('xxx');
  });

  it('leaves out the places that are declared', async () => {
    const { send, view } = await world({
      control: (_request, count) => json({ meta: { took: count }, items: [{ id: 1, n: 1 }] }),
      candidate: (_request, count) => json({ meta: { took: -count }, items: [{ id: 2, n: 1 }] }),
      mirror: { compare: { ignorePaths: ['/meta', '/items/*/id'] } },
    });
    await send(12);
    expect(report(view())).toMatchObject({ compared: 12, paths: [], regressions: { candidate: 0 } });
  });
});

describe('writes', () => {
  it('are never mirrored without a contract', async () => {
    const { control, candidate, send, view } = await world({ control: same, candidate: same });
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) await send(1, post('{}', '', method));
    expect([control.requests.length, candidate.requests.length]).toEqual([4, 0]);
    expect(view().missed).toMatchObject({ body: 0, rate: 0 });
  });

  it('are mirrored with their body under a contract, unless it is large', async () => {
    const contract = { methods: ['POST'], reason: 'a search', approvedBy: 'search team' };
    const { candidate, send, view } = await world({ control: same, candidate: same, mirror: { contract } });
    const chunked =
      'POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n';
    await send(1, post('{"q":"x"}'));
    await send(1, chunked);
    await send(1, post('x'.repeat(70_000)));
    expect(mirrored(candidate).map(({ body }) => body)).toEqual(['{"q":"x"}', 'abcde']);
    expect(view()).toMatchObject({ missed: { body: 1 }, diffs: { compared: 2 } });
  });
});

describe('the caller', () => {
  it('notices nothing of a candidate that hangs, of which only so many are under way', async () => {
    const { candidate, port, view } = await world({
      control: same,
      candidate: () => null,
      mirror: { concurrency: 3, timeout: '30s' },
    });
    const client = rig.client(port);
    for (let i = 0; i < 20; i++) expect((await answer(client.send(get()))).status).toBe(200);
    expect(candidate.requests.length).toBeLessThanOrEqual(3);
    await candidate.until(() => candidate.requests.length === 3);
    expect(view()).toMatchObject({ inFlight: 3, missed: { concurrency: 17 }, diffs: { compared: 0 } });
  });

  it('notices nothing of a candidate that is dead, which is a difference', async () => {
    const { candidate, send, view } = await world({ control: same, candidate: same });
    candidate.stopListening();
    const answers = await send(12);
    expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(200));
    const { paths, latency } = report(view());
    expect(paths.map(({ path, kind }) => [path, kind])).toEqual([['answer', 'regression']]);
    expect(latency.candidate.p50).toBeNull();
  });

  it('notices nothing of an answer that is too late or no HTTP', async () => {
    const { send, view } = await world({
      control: same,
      candidate: (_request, count) => (count === 1 ? null : 'nonsense\r\n\r\n'),
      mirror: { timeout: '3s' },
    });
    const answers = await send(2);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(view().diffs).toMatchObject({ compared: 2, hits: { control: 0, candidate: 2 } });
  });

  it('keeps its connections: mirrored requests have their own', async () => {
    const { plane, control, send } = await world({ control: same, candidate: same });
    await send(10);
    const real = new Set(
      control.requests.filter((request) => !mirrored(control).includes(request)).map((one) => one.connection),
    );
    expect(mirrored(control).some(({ connection }) => real.has(connection))).toBe(false);
    expect(plane.upstreams()[0]!.endpoints[0]!.requests).toBe(10);
    // Those of its own are used again.
    expect(control.sockets.length).toBeLessThanOrEqual(3);
  });
});

describe('the budget', () => {
  it('is so many a second, and what is beyond it is counted and not sent', async () => {
    const { candidate, send, view, plane } = await world({
      control: same,
      candidate: same,
      mirror: { rate: '2/h' },
    });
    await send(10);
    // A burst of one, and nothing comes in for half an hour.
    expect(candidate.requests).toHaveLength(1);
    expect(view().missed).toMatchObject({ rate: 9 });
    const [missed] = await plane.metrics.samplesOf(['fairlead_mirror_missed_total']);
    expect(missed!.values.find(({ labels }) => labels.reason === 'rate')?.value).toBe(9);
  });

  it('is a share of the requests', async () => {
    const { candidate, send } = await world({ control: same, candidate: same, mirror: { share: '30%' } });
    await send(200);
    // Of 200 with p = 0.3: five standard deviations around 60.
    expect(candidate.requests.length).toBeGreaterThan(27);
    expect(candidate.requests.length).toBeLessThan(93);
  });

  it('is the first to go under load, and nothing is sent to a candidate whose breaker is open', async () => {
    const { plane, candidate, send, view } = await world({
      control: same,
      candidate: same,
      more: { overload: { eventLoopDelay: '10s' } },
    });
    plane.trip('all/ranking/candidate', 60_000, 'test');
    await send(2);
    expect(view().missed).toMatchObject({ breaker: 2, load: 0 });
    plane.reset('all/ranking/candidate', 'test');
    const shedding = plane.limits.shedding!;
    // It would find at once that there is no load.
    shedding.tick = () => {};
    shedding.level = 1;
    await send(1);
    expect(view().missed.load).toBeGreaterThan(0);
    expect(candidate.requests).toHaveLength(0);
  });

  it('is not spent on requests that targeting leaves out, on tunnels and on streams', async () => {
    const { candidate, send, plane } = await world({
      control: same,
      candidate: same,
      more: {
        routes: [
          {
            name: 'stream',
            match: { path: '/stream' },
            upstream: 'app',
            experiments: ['ranking'],
            streaming: true,
          },
          { name: 'all', upstream: 'app', experiments: ['ranking'] },
        ],
        experiments: {
          ranking: {
            targeting: [{ header: 'x-country', in: ['NL'] }],
            variants: { control: {}, candidate: { weight: '0%', upstream: 'next' } },
            mirror: { share: '100%' },
          },
        },
      },
    });
    await send(1, get('/', 'x-user-id: u1\r\n'));
    await send(1, get('/stream', 'x-user-id: u1\r\nx-country: NL\r\n'));
    expect(candidate.requests).toHaveLength(0);
    await send(1, get('/', 'x-user-id: u1\r\nx-country: NL\r\n'));
    expect(candidate.requests).toHaveLength(1);
    expect(plane.mirrors.views()).toHaveLength(1);
  });
});
