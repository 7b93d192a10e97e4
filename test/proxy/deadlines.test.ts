/** How long a request may take as its fields say it: heeded, told the upstream with what is left, never exceeded. */
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { forwardPlane, MINUTE_MS } from '../support/forward-clock.ts';
import { field } from '../support/message.ts';
import { answer, get, ok, post, useRig } from '../support/rig.ts';
import { CANDIDATE, twoArms } from '../support/two-arms.ts';

const rig = useRig();

/** No other time is up first. */
const PATIENT = { timeouts: { firstByte: '0', stall: '0', idle: '9h' } };

const NAMED = { deadlines: { header: 'x-request-timeout' } };

/** Each look at it takes a millisecond, so that time passes and none is lost. */
class TellingClock implements Clock {
  #atMs = 0;
  now = () => ++this.#atMs;
  wallMs = () => systemClock.wallMs();
}

/** What the upstream is told when the client says this. */
async function told(fields: string, settings: object = {}) {
  const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
  const { port } = await rig.plane([upstream.endpoint], settings, new TellingClock());
  const got = await answer(rig.client(port).send(get('/', fields)));
  const request = upstream.requests[0];
  return {
    status: got.status,
    code: got.problem?.code ?? null,
    grpc: request === undefined ? null : field(request, 'grpc-timeout'),
    own: request === undefined ? null : field(request, 'x-request-timeout'),
  };
}

/** Microseconds of a `grpc-timeout` in `u`. */
function micros(text: string | null): number {
  expect(text).toMatch(/^\d{1,8}u$/);
  return Number.parseInt(text!, 10);
}

describe('grpc-timeout', () => {
  it('is told on with what is left of it', async () => {
    const { grpc } = await told('grpc-timeout: 5S\r\n');
    expect(micros(grpc)).toBeLessThan(5_000_000);
    expect(micros(grpc)).toBeGreaterThan(1_000_000);
  });

  it('is told on as the time that the route has, when that is less', async () => {
    const { grpc } = await told('grpc-timeout: 1H\r\n', { timeouts: { request: '2s' } });
    expect(micros(grpc)).toBeLessThan(2_000_000);
  });

  it.each(['5s', '1.5S', '123456789m', ''])(
    'of %j says nothing, and is passed on as it came',
    async (value) => {
      expect((await told(`grpc-timeout: ${value}\r\n`)).grpc).toBe(value);
    },
  );

  it('twice says nothing', async () => {
    expect((await told('grpc-timeout: 1S\r\ngrpc-timeout: 2S\r\n')).grpc).toBe('1S, 2S');
  });

  it('is passed on as it came when nobody is to heed it', async () => {
    expect((await told('grpc-timeout: 0S\r\n', { deadlines: { grpc: false } })).grpc).toBe('0S');
  });

  it('of nothing is over before anyone is asked', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const { port, access } = await rig.plane([upstream.endpoint]);
    const got = await answer(rig.client(port).send(get('/', 'grpc-timeout: 0n\r\n')));
    expect([got.status, got.problem?.code]).toEqual([504, 'deadline_exceeded']);
    expect(upstream.sockets).toHaveLength(0);
    expect(access).toMatchObject([{ code: 'deadline_exceeded', outcome: 'ignored', upstream: '' }]);
  });
});

describe('a field of one’s own', () => {
  it.each([
    ['1500', /^(1[0-4]\d\d|[1-9]\d\d)$/],
    ['1500ms', /^(1[0-4]\d\d|[1-9]\d\d)ms$/],
    ['2s', /^1\d\d\dms$/],
  ])('%s is told on with what is left, in its form', async (value, form) => {
    expect((await told(`x-request-timeout: ${value}\r\n`, NAMED)).own).toMatch(form);
  });

  it('is not heeded unless it is named', async () => {
    expect((await told('x-request-timeout: 0.001\r\n')).own).toBe('0.001');
  });

  it('can shorten the time of the route and not lengthen it', async () => {
    const settings = { ...NAMED, timeouts: { request: '2s' } };
    expect((await told('x-request-timeout: 1h\r\n', settings)).own).toMatch(/^1\d\d\dms$/);
  });

  it('is told the upstream when the caller did not say it and the route has a limit', async () => {
    expect((await told('', { ...NAMED, timeouts: { request: '2s' } })).own).toMatch(/^1\d\d\d$/);
    expect((await told('', NAMED)).own).toBeNull();
  });

  it('of 0 has no limit of its own', async () => {
    expect(await told('x-request-timeout: 0\r\n', NAMED)).toMatchObject({ status: 200, own: null });
  });

  it.each(['soon', '-5', '1d', '1, 2'])('of %j says nothing, and is passed on as it came', async (value) => {
    expect(await told(`x-request-timeout: ${value}\r\n`, NAMED)).toMatchObject({ status: 200, own: value });
  });

  it('and grpc-timeout together: the shorter counts, and both are told', async () => {
    const { grpc, own } = await told('grpc-timeout: 1H\r\nx-request-timeout: 2s\r\n', NAMED);
    expect(micros(grpc)).toBeLessThan(2_000_000);
    expect(own).toMatch(/^1\d\d\dms$/);
  });
});

describe('a request that has no more time', () => {
  it('is 504 deadline_exceeded, its upstream is let go, and nobody failed', async () => {
    const arms = await twoArms(rig, 'hang', { route: { failover: false }, config: PATIENT });
    const client = rig.client(arms.port).send(get('/', `${CANDIDATE}grpc-timeout: 1H\r\n`));
    await arms.candidate.request(0);
    await arms.forward(60 * MINUTE_MS);
    const got = await answer(client);
    expect([got.status, got.problem?.code]).toEqual([504, 'deadline_exceeded']);
    await arms.candidate.left(0);
    expect(arms.access).toMatchObject([{ status: 504, outcome: 'ignored' }]);
    const breaker = arms.plane.breakers().find(({ name }) => name.endsWith('/candidate'));
    expect(breaker).toMatchObject({ requests: 0, failures: 0, inFlight: 0 });
  });

  it('was too slow for its upstream if it was slow already', async () => {
    const arms = await twoArms(rig, 'hang', {
      route: { failover: false },
      experiment: { breaker: { minimumRequests: 1000, slow: { threshold: '30m', rate: '50%' } } },
      config: PATIENT,
    });
    const client = rig.client(arms.port).send(get('/', `${CANDIDATE}grpc-timeout: 1H\r\n`));
    await arms.candidate.request(0);
    await arms.forward(60 * MINUTE_MS);
    await answer(client);
    expect(arms.access).toMatchObject([{ status: 504, outcome: 'slow' }]);
  });

  it('is broken off for all to see when its answer has begun', async () => {
    const upstream = await rig.upstream(({ socket }) =>
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'),
    );
    const { port, access, forward } = await forwardPlane(rig, [upstream.endpoint], PATIENT);
    const client = rig.client(port).send(get('/', 'grpc-timeout: 1H\r\n'));
    await client.until((text) => text.endsWith('half'));
    await forward(60 * MINUTE_MS);
    expect((await client.ended()).endsWith('half')).toBe(true);
    expect(access).toMatchObject([{ status: 200, code: 'deadline_exceeded' }]);
  });

  it('is counted anew for the next one on the connection', async () => {
    const upstream = await rig.upstream(({ socket, startLine }) => {
      if (!startLine.includes('/hang')) socket.write(ok('quick'));
    });
    const { port, forward } = await forwardPlane(rig, [upstream.endpoint], PATIENT);
    const client = rig.client(port).send(get('/hang', 'grpc-timeout: 1H\r\n'));
    await upstream.request();
    await forward(60 * MINUTE_MS);
    expect((await answer(client)).status).toBe(504);
    await forward(90 * MINUTE_MS);
    expect((await answer(client.send(get()))).body).toBe('quick');
  });
});

describe('a candidate that hangs', () => {
  it('gets half of the time, and control what is left', async () => {
    const arms = await twoArms(rig, 'hang', { config: { ...PATIENT, ...NAMED } });
    const client = rig.client(arms.port).send(get('/', `${CANDIDATE}x-request-timeout: 1000000\r\n`));
    await arms.candidate.request(0);
    await arms.forward(500_000);
    expect((await answer(client)).body).toBe('control');
    const [candidate, control] = [arms.candidate, arms.control].map(({ requests }) =>
      Number(field(requests[0]!, 'x-request-timeout')),
    );
    expect(candidate).toBeLessThanOrEqual(500_000);
    expect(control).toBeLessThanOrEqual(500_000);
    expect(control).toBeGreaterThan(0);
  });

  it('is told all of the time by a request that nobody else may do', async () => {
    const arms = await twoArms(rig, 'ok', { config: NAMED });
    await answer(rig.client(arms.port).send(post('x', `${CANDIDATE}x-request-timeout: 500000\r\n`)));
    expect(Number(field(arms.candidate.requests[0]!, 'x-request-timeout'))).toBeGreaterThan(250_000);
    await answer(rig.client(arms.port).send(get('/', `${CANDIDATE}x-request-timeout: 500000\r\n`)));
    expect(Number(field(arms.candidate.requests[1]!, 'x-request-timeout'))).toBeLessThanOrEqual(250_000);
  });

  it('has not failed when it was the caller who left it no more time', async () => {
    const arms = await twoArms(rig, 'hang', { config: PATIENT });
    const client = rig.client(arms.port).send(get('/', `${CANDIDATE}grpc-timeout: 1H\r\n`));
    await arms.candidate.request(0);
    await arms.forward(30 * MINUTE_MS);
    expect((await answer(client)).body).toBe('control');
    const breaker = arms.plane.breakers().find(({ name }) => name.endsWith('/candidate'));
    expect(breaker).toMatchObject({ requests: 0, failures: 0, inFlight: 0 });
  });

  it('gets as much as `after` says', async () => {
    const arms = await twoArms(rig, 'hang', {
      route: { failover: { after: '10m' } },
      config: { timeouts: { ...PATIENT.timeouts, request: '1h' }, ...NAMED },
    });
    const client = rig.client(arms.port).send(get('/', CANDIDATE));
    await arms.candidate.request(0);
    await arms.forward(10 * MINUTE_MS);
    expect((await answer(client)).body).toBe('control');
    expect(Number(field(arms.candidate.requests[0]!, 'x-request-timeout'))).toBeLessThanOrEqual(
      10 * MINUTE_MS,
    );
    expect(Number(field(arms.control.requests[0]!, 'x-request-timeout'))).toBeGreaterThan(40 * MINUTE_MS);
  });
});

describe('an attempt', () => {
  it('is told less than the one before', async () => {
    let asked = 0;
    const upstream = await rig.upstream(({ socket }) =>
      socket.write(asked++ < 2 ? 'HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n' : ok()),
    );
    const { port } = await rig.plane([upstream.endpoint], {
      routes: [
        { name: 'all', upstream: 'app', retries: { attempts: 3, backOff: { base: '20ms', max: '20ms' } } },
      ],
    });
    await answer(rig.client(port).send(get('/', 'grpc-timeout: 5S\r\n')));
    const left = upstream.requests.map((request) => micros(field(request, 'grpc-timeout')));
    expect(left).toHaveLength(3);
    expect(left[1]).toBeLessThan(left[0]!);
    expect(left[2]).toBeLessThan(left[1]!);
  });
});
