/** What clients know the admin API by is on every answer of it, and on none of the probe listener. */
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listen } from '../../../src/admin/server.ts';
import { type AdminBench, newAdminBench, TOKEN } from '../../support/admin.ts';

let bench: AdminBench;
beforeEach(async () => {
  bench = await newAdminBench();
});
afterEach(() => bench.close());

test.each([
  ['a resource', 'GET', '/v1/experiments', {}, 200],
  ['its head', 'HEAD', '/v1/experiments', {}, 200],
  ['a probe', 'GET', '/livez', {}, 200],
  ['the metrics', 'GET', '/metrics', {}, 200],
  ['the page that is not built', 'GET', '/', {}, 503],
  ['what is not there', 'GET', '/nowhere', {}, 404],
  ['a method that is not allowed', 'GET', '/v1/reload', {}, 405],
  ['a change without a token', 'POST', '/v1/reload', {}, 401],
  ['a change with a token', 'POST', '/v1/reload', { authorization: `Bearer ${TOKEN}` }, 200],
  ['a foreign host', 'GET', '/v1/experiments', { host: 'evil.test' }, 403],
  ['a URL that cannot be read', 'GET', '/v1/%zz', {}, 400],
  ['a name that is too long', 'DELETE', `/v1/faults/${'a'.repeat(600)}`, {}, 400],
] as const)('%s has it', async (_name, method, url, headers, status) => {
  const answer = await bench.app.inject({ method, url, headers: { host: 'localhost', ...headers } });
  expect([answer.statusCode, answer.headers['fairlead-api']]).toEqual([status, '1']);
});

test('what cannot be routed is a problem like others', async () => {
  const answer = await bench.app.inject({ url: '/v1/%zz', headers: { host: 'localhost' } });
  expect(answer.headers['content-type']).toContain('application/problem+json');
  expect(answer.json()).toMatchObject({ code: 'request_invalid', status: 400 });
});

test('a stream has it', async () => {
  const port = await listen(bench.app, { kind: 'tcp', host: '127.0.0.1', port: 0 });
  const socket = connect(port, '127.0.0.1');
  socket.write('GET /v1/events/stream HTTP/1.1\r\nhost: localhost\r\n\r\n');
  let text = '';
  for await (const chunk of socket) {
    text += String(chunk);
    if (text.includes('\r\n\r\n')) break;
  }
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
  expect(text).toMatch(/\r\nfairlead-api: 1\r\n/);
});

test('the probe listener does not have it', async () => {
  for (const url of ['/readyz', '/metrics', '/v1/experiments', '/v1/%zz']) {
    const answer = await bench.probes.inject({ url });
    expect(answer.headers['fairlead-api']).toBeUndefined();
  }
});
