import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type AdminBench, newAdminBench } from '../../support/admin.ts';

let bench: AdminBench;
beforeAll(async () => {
  bench = await newAdminBench();
});
afterAll(() => bench.close());
beforeEach(() => {
  bench.plane.isStarted = true;
  bench.plane.isStopping = false;
});

const ask = (url: string) => bench.probes.inject({ url, headers: { host: '10.0.0.7:15120' } });

describe('readiness', () => {
  test('is 503 while starting, 200 then, and 503 from the first moment of a drain', async () => {
    bench.plane.isStarted = false;
    expect((await ask('/readyz')).statusCode).toBe(503);
    bench.plane.isStarted = true;
    expect((await ask('/readyz')).statusCode).toBe(200);
    bench.plane.isStopping = true;
    expect((await ask('/readyz')).statusCode).toBe(503);
  });

  test('does not depend on an upstream or a breaker', async () => {
    bench.plane.breaker = { ...bench.plane.breaker, state: 'open' };
    expect((await ask('/readyz')).statusCode).toBe(200);
  });

  test('says what it is made of when asked', async () => {
    bench.plane.isStopping = true;
    const { body } = await ask('/readyz?verbose');
    expect(body).toBe('[+] started ok\n[-] accepting no\nrequests in flight: 7\nnot ready\n');
  });

  test('says what is shed under load, and stays ready: elsewhere there would be no less of it', async () => {
    bench.plane.shedding = { level: 3, upTo: 'candidate', reason: 'the event loop is 132ms late > 100ms' };
    const { statusCode, body } = await ask('/readyz?verbose');
    expect(statusCode).toBe(200);
    expect(body).toContain(
      '\noverload: level 3, shed up to candidate; the event loop is 132ms late > 100ms\nrequests in flight: 7\n',
    );
  });
});

test('liveness does not change with readiness', async () => {
  bench.plane.isStarted = false;
  bench.plane.isStopping = true;
  expect((await ask('/livez')).statusCode).toBe(200);
  expect((await ask('/startupz')).statusCode).toBe(503);
});

test.each(['/ping', '/ready', '/startupz', '/stats/prometheus'])('%s answers', async (url) => {
  expect((await ask(url)).statusCode).toBe(200);
});

test('metrics have the content type that Prometheus asks for', async () => {
  const { headers, body } = await ask('/metrics');
  expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(body).toContain('# TYPE fairlead_build_info gauge');
});

test('a probe is HEAD as well, and nothing else', async () => {
  const head = await bench.probes.inject({ method: 'HEAD', url: '/readyz', headers: { host: '10.0.0.7' } });
  expect(head.statusCode).toBe(200);
  const post = await bench.probes.inject({ method: 'POST', url: '/readyz', headers: { host: '10.0.0.7' } });
  expect(post.statusCode).toBe(405);
  expect(post.headers.allow).toBe('GET');
});

test.each(['/v1/config', '/config_dump', '/v1/experiments', '/v1/audit', '/v1/reload'])(
  '%s is not on the probe listener',
  async (url) => {
    expect((await ask(url)).statusCode).toBe(404);
    expect(
      (await bench.probes.inject({ method: 'POST', url, headers: { host: '10.0.0.7' } })).statusCode,
    ).toBe(404);
  },
);
