import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseEndpoint } from '../../../src/config/address.ts';
import type { DnsSettings } from '../../../src/config/compile-dns.ts';
import { Deadlines } from '../../../src/proxy/deadlines.ts';
import { DnsFiles } from '../../../src/proxy/dns-files.ts';
import { DnsNames } from '../../../src/proxy/dns-names.ts';
import { UpstreamEndpoints } from '../../../src/proxy/upstream-endpoints.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { DnsServer } from '../../support/dns.ts';
import { Signal } from '../../support/rig.ts';

let server: DnsServer;
let folder: string;
const names: DnsNames[] = [];

beforeEach(async () => {
  server = await new DnsServer().listen();
  folder = mkdtempSync(join(tmpdir(), 'fairlead-dns-'));
});
afterEach(() => {
  for (const one of names.splice(0)) one.close();
  server.close();
  rmSync(folder, { recursive: true });
});

/** Endpoints on a manual clock: `pass` lets time go by. */
function bench(endpoints: readonly string[], options: { resolve?: 'all' | 'one'; hosts?: string } = {}) {
  writeFileSync(join(folder, 'hosts'), options.hosts ?? '');
  let nowMs = 0;
  const clock = { now: () => nowMs, wallMs: () => nowMs };
  const deadlines = new Deadlines(clock);
  const lines: string[] = [];
  const say = (_facts: object, sentence: string) => void lines.push(sentence);
  const settings: DnsSettings = {
    servers: [server.address],
    // Of the real clock, and never over: a question that is asked again would be counted twice.
    timeoutMs: 60_000,
    minTtlMs: 1000,
    maxTtlMs: 60_000,
    family: 'any',
    keepMissingMs: 30_000,
  };
  const resolver = new DnsNames(settings, {
    clock,
    random: { next: () => 0, hex: () => '' },
    deadlines,
    log: { debug: say, info: say, warn: say, error: say },
    metrics: new Metrics({ version: '', node: '', isProcessIncluded: false }).health,
    files: new DnsFiles(join(folder, 'hosts'), join(folder, 'none')),
  });
  names.push(resolver);
  const signal = new Signal();
  let changes = 0;
  const declared = endpoints.map((text) => {
    const parsed = parseEndpoint(text);
    if (!parsed.ok) throw new Error(parsed.problem);
    return parsed.value;
  });
  const found = new UpstreamEndpoints(
    { endpoints: declared, resolve: options.resolve ?? 'all' },
    resolver,
    () => {
      changes++;
      signal.wake();
    },
  );
  const ids = () => found.list.map(({ id }) => id);
  return {
    found,
    resolver,
    lines,
    ids,
    pass(ms: number) {
      nowMs += ms;
      deadlines.sweep();
    },
    changed: (count: number) =>
      signal.until(
        () => changes >= count,
        () => `${changes} changes, now ${ids()}`,
      ),
    get changes() {
      return changes;
    },
  };
}

describe('the endpoints of an upstream', () => {
  test('are what it declares where nothing is to be resolved, and nobody is asked', () => {
    const { found } = bench(['10.0.0.1:80', '[fd00::1]:80', 'unix:/run/app.sock']);
    expect(found.list.map(({ id, target }) => [id, target])).toEqual([
      ['10.0.0.1:80', { host: '10.0.0.1', port: 80 }],
      ['[fd00::1]:80', { host: 'fd00::1', port: 80 }],
      ['unix:/run/app.sock', { path: '/run/app.sock' }],
    ]);
    expect(server.asked).toEqual([]);
  });

  test('that /etc/hosts knows are there at once', () => {
    expect(bench(['localhost:80', 'app:81'], { hosts: '10.0.0.7 app\n' }).ids()).toEqual([
      '[::1]:80',
      '10.0.0.7:81',
    ]);
  });

  test('are all addresses of a name, asked for again when the time to live is over', async () => {
    server.set('app.test', { A: ['10.0.0.2', '10.0.0.1'] }, 7);
    const { ids, changed, pass } = bench(['app.test:80']);
    expect(ids()).toEqual([]);
    await changed(1);
    expect(ids()).toEqual(['10.0.0.1:80', '10.0.0.2:80']);
    server.set('app.test', { A: ['10.0.0.2', '10.0.0.3'] }, 7);
    pass(6999);
    expect(server.count('A app.test')).toBe(1);
    pass(1);
    await changed(2);
    expect(server.count('A app.test')).toBe(2);
    expect(ids()).toEqual(['10.0.0.2:80', '10.0.0.3:80']);
  });

  test('that stay are the same objects, and another order is no change', async () => {
    server.set('app.test', { A: ['10.0.0.1', '10.0.0.2'] });
    const all = bench(['app.test:80']);
    const { found, changed, pass, ids } = all;
    await changed(1);
    const [, second] = found.list;
    server.set('app.test', { A: ['10.0.0.2', '10.0.0.1'] });
    pass(1000);
    await server.until('AAAA app.test', 2);
    server.set('app.test', { A: ['10.0.0.2'] });
    // Until the second answer has been taken, there is nothing to be asked for.
    const askAgain = () => {
      pass(1000);
      return server.count('A app.test');
    };
    await expect.poll(askAgain, { timeout: 15_000 }).toBeGreaterThan(2);
    await changed(2);
    expect(all.changes).toBe(2);
    expect(ids()).toEqual(['10.0.0.2:80']);
    expect(found.list[0]).toBe(second);
  });

  test('are those of before while DNS fails, and one line says so', async () => {
    server.set('app.test', { A: ['10.0.0.1'] });
    const { found, ids, changed, pass, lines } = bench(['app.test:80']);
    await changed(1);
    server.fail('app.test', 'servfail');
    pass(1000);
    await expect
      .poll(() => found.names, { timeout: 15_000 })
      .toEqual([{ name: 'app.test:80', state: 'stale', endpoints: 1 }]);
    expect(ids()).toEqual(['10.0.0.1:80']);
    expect(lines).toEqual([
      'the name app.test cannot be resolved now: ESERVFAIL; its last addresses stay in use',
    ]);
  });

  test('of a name that is in several places are asked for once', async () => {
    server.set('app.test', { A: ['10.0.0.1'] });
    const { ids, changed } = bench(['app.test:80', 'app.test:81', '10.0.0.1:80']);
    await changed(1);
    expect(ids()).toEqual(['10.0.0.1:80', '10.0.0.1:81']);
    expect(server.count('A app.test')).toBe(1);
  });

  test('whose name is not used any more are not asked for any more', async () => {
    server.set('app.test', { A: ['10.0.0.1'] });
    const { found, changed, pass } = bench(['app.test:80']);
    await changed(1);
    found.close();
    pass(100_000);
    expect(server.count('A app.test')).toBe(1);
  });

  test('more than a thousand of one name are not used, and those in use stay', async () => {
    const many = (from: number) =>
      Array.from({ length: 1100 }, (_, index) => `10.0.${(from + index) >> 8}.${(from + index) & 255}`);
    server.set('app.test', { A: many(0) });
    const { found, changed, pass } = bench(['app.test:80']);
    await changed(1);
    expect(found.list).toHaveLength(1000);
    const before = new Set(found.list);
    server.set('app.test', { A: many(100).reverse() });
    pass(1000);
    await changed(2);
    expect(found.list).toHaveLength(1000);
    expect(found.list.filter((endpoint) => before.has(endpoint))).toHaveLength(900);
  });
});

describe('a name with addresses of both families', () => {
  const both = { A: ['10.0.0.1', '10.0.0.2'], AAAA: ['fd00::1', 'fd00::2'] };

  test('has the endpoints of one family, each with an address of the other to fall back on', async () => {
    server.set('app.test', both);
    const { found, changed } = bench(['app.test:80']);
    await changed(1);
    expect(found.list.map(({ id, others }) => [id, ...others])).toEqual([
      ['[fd00::1]:80', '10.0.0.1'],
      ['[fd00::2]:80', '10.0.0.2'],
    ]);
  });

  test('uses the other family after three connections in a row that were made with it', async () => {
    server.set('app.test', both);
    const { found, ids, changed } = bench(['app.test:80']);
    await changed(1);
    const [endpoint] = found.list;
    for (const host of ['10.0.0.1', '10.0.0.1', 'fd00::1', '10.0.0.1', '10.0.0.1'])
      found.connected(endpoint!, host);
    expect(ids()).toEqual(['[fd00::1]:80', '[fd00::2]:80']);
    found.connected(endpoint!, '10.0.0.1');
    expect(ids()).toEqual(['10.0.0.1:80', '10.0.0.2:80']);
    expect(found.list[0]!.others).toEqual(['fd00::1']);
  });

  test('is one endpoint with resolve: one, whose address is the first of the latest answer', async () => {
    server.set('app.test', both);
    const { found, changed, pass } = bench(['app.test:80'], { resolve: 'one' });
    await changed(1);
    expect(found.list).toMatchObject([
      { id: 'app.test:80', address: { host: 'fd00::1' }, others: ['10.0.0.1', 'fd00::2', '10.0.0.2'] },
    ]);
    server.set('app.test', { A: ['10.0.0.9', '10.0.0.1'] });
    pass(1000);
    await changed(2);
    expect(found.list).toMatchObject([
      { id: 'app.test:80', address: { host: '10.0.0.9' }, others: ['10.0.0.1'] },
    ]);
  });
});

describe('a service', () => {
  test('has the ports and weights of its records, of those with the lowest priority that have an address', async () => {
    server.set('_http._tcp.app.test', {
      SRV: [
        { priority: 5, port: 1, target: 'gone.test' },
        { priority: 10, weight: 3, port: 8080, target: 'a.test' },
        { priority: 10, weight: 0, port: 8081, target: 'b.test' },
        { priority: 20, weight: 9, port: 8082, target: 'c.test' },
      ],
    });
    server.set('a.test', { A: ['10.0.0.1', '10.0.0.2'] });
    server.set('b.test', { A: ['10.0.0.1'] });
    server.set('c.test', { A: ['10.0.0.3'] });
    const { found, changed } = bench(['srv:_http._tcp.app.test']);
    await changed(1);
    expect(found.list.map(({ id, weight, name }) => [id, weight, name])).toEqual([
      ['10.0.0.1:8080', 1.5, 'app.test'],
      ['10.0.0.2:8080', 1.5, 'app.test'],
      ['10.0.0.1:8081', 1, 'app.test'],
    ]);
  });
});
