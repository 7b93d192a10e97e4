/** Endpoints by name, `dns` and `health`: what is read, and what is said of mistakes. */
import { describe, expect, test } from 'vitest';
import { parseEndpoint } from '../../../src/config/address.ts';
import { issuesOf, snapshotOf } from '../../support/config.ts';

const file = (upstream: string, ...lines: string[]): string =>
  ['version: 1', 'upstreams:', `  app: ${upstream}`, ...lines, ''].join('\n');

describe('an endpoint', () => {
  test.each([
    ['127.0.0.1:80', { kind: 'tcp', host: '127.0.0.1', port: 80 }],
    ['App.Local.:80', { kind: 'tcp', host: 'app.local.', port: 80 }],
    ['unix:/run/app.sock', { kind: 'unix', path: '/run/app.sock' }],
    ['srv:_HTTP._tcp.app.local', { kind: 'srv', name: '_http._tcp.app.local' }],
  ])('%s is read', (text, address) => {
    expect(parseEndpoint(text)).toMatchObject({ ok: true, value: { address } });
  });

  test.each([
    'srv:app.local',
    'srv:_http.app.local',
    'srv:_http._tcp.',
    'srv:_http._tcp.app.local:80',
    'srv:',
  ])('%s is no service', (text) => {
    expect(issuesOf(file(JSON.stringify(text)))[0]).toContain(
      'is not srv: and the name of a service, such as srv:_http._tcp.app.local',
    );
  });

  test('with a service has the service for its id', () => {
    const { endpoints } = snapshotOf(file('"srv:_http._tcp.APP.local"')).upstreams.get('app')!;
    expect(endpoints).toEqual([
      { id: 'srv:_http._tcp.app.local', address: { kind: 'srv', name: '_http._tcp.app.local' } },
    ]);
  });
});

describe('dns', () => {
  test('has defaults, and servers with and without a port', () => {
    expect(snapshotOf(file('"app.local:80"')).dns).toEqual({
      servers: [],
      timeoutMs: 2000,
      minTtlMs: 1000,
      maxTtlMs: 300_000,
      family: 'any',
      keepMissingMs: 30_000,
    });
    const { dns } = snapshotOf(
      file('"app.local:80"', 'dns: { servers: ["10.0.0.2", "10.0.0.2:5353", "fd00::2", "[fd00::2]:5353"] }'),
    );
    expect(dns.servers).toEqual(['10.0.0.2:53', '10.0.0.2:5353', '[fd00::2]:53', '[fd00::2]:5353']);
  });

  test('has a maxTtl that is not shorter than its minTtl', () => {
    expect(snapshotOf(file('"app.local:80"', 'dns: { minTtl: 10m }')).dns.maxTtlMs).toBe(600_000);
  });

  test.each(['dns.google', '10.0.0.2:0', '10.0.0.2:70000', 'fd00::2:53:', '[10.0.0.2]:53', ''])(
    'takes no server %j',
    (server) => {
      expect(issuesOf(file('"app.local:80"', `dns: { servers: [${JSON.stringify(server)}] }`))[0]).toContain(
        'is no address of a DNS server; write 10.0.0.2, 10.0.0.2:5353 or [fd00::2]:53',
      );
    },
  );
});

describe('health', () => {
  const statusesOf = (statuses: string) =>
    snapshotOf(file(`{ endpoints: ["a:1"], health: { http: { statuses: ${statuses} } } }`)).upstreams.get(
      'app',
    )!.health!.http!.statuses;

  test('is off unless it is there, and a connection unless http is', () => {
    expect(snapshotOf(file('"a:1"')).upstreams.get('app')!.health).toBeNull();
    expect(snapshotOf(file('{ endpoints: ["a:1"], health: {} }')).upstreams.get('app')!.health).toEqual({
      http: null,
      port: null,
      intervalMs: 5000,
      timeoutMs: 1000,
      rise: 2,
      fall: 3,
    });
  });

  test('has statuses one by one, by class and from to', () => {
    expect(statusesOf('[200, "204", 3xx, 400-404]')).toEqual([
      [200, 200],
      [204, 204],
      [300, 399],
      [400, 404],
    ]);
  });

  test.each(['[99]', '[6xx]', '[20x]', '[404-400]', '[]'])('takes no statuses %s', (statuses) => {
    expect(issuesOf(file(`{ endpoints: ["a:1"], health: { http: { statuses: ${statuses} } } }`))).not.toEqual(
      [],
    );
  });

  test.each(['health', '"/a b"', '"/a\\r\\nx: y"'])('takes no path %s', (path) => {
    expect(issuesOf(file(`{ endpoints: ["a:1"], health: { http: { path: ${path} } } }`))[0]).toContain(
      'expected a path that begins with / and has no spaces',
    );
  });
});
