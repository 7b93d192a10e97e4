import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import type { DnsSettings } from '../../../src/config/compile-dns.ts';
import { DnsClient } from '../../../src/proxy/dns-client.ts';
import { DnsFiles } from '../../../src/proxy/dns-files.ts';
import { DnsServer } from '../../support/dns.ts';

let server: DnsServer;
let folder: string;
const clients: DnsClient[] = [];

beforeEach(async () => {
  server = await new DnsServer().listen();
  folder = mkdtempSync(join(tmpdir(), 'fairlead-dns-'));
});
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  server.close();
  rmSync(folder, { recursive: true });
});

function client(settings: Partial<DnsSettings> = {}, { hosts = '', resolv = '' } = {}): DnsClient {
  writeFileSync(join(folder, 'hosts'), hosts);
  writeFileSync(join(folder, 'resolv.conf'), resolv);
  const made = new DnsClient(
    {
      servers: [server.address],
      // What nobody waits for here, unless a test is about it: a machine that pauses must not look like a silent server.
      timeoutMs: 60_000,
      minTtlMs: 1000,
      maxTtlMs: 60_000,
      family: 'any',
      keepMissingMs: 0,
      ...settings,
    },
    new DnsFiles(join(folder, 'hosts'), join(folder, 'resolv.conf')),
    systemClock,
  );
  clients.push(made);
  return made;
}

describe('the addresses of a host', () => {
  test('come with the shortest of their times to live', async () => {
    server.set('app.test', { A: ['10.0.0.2', '10.0.0.1'], AAAA: ['fd00::1'] }, 7);
    expect(await client().host('app.test', null)).toEqual({
      kind: 'found',
      value: { ipv4: ['10.0.0.2', '10.0.0.1'], ipv6: ['fd00::1'], fullName: 'app.test' },
      ttlMs: 7000,
    });
  });

  test('of one family are enough, and only a family that is wanted is asked for', async () => {
    server.set('app.test', { A: ['10.0.0.1'] });
    expect(await client().host('app.test', null)).toMatchObject({ value: { ipv4: ['10.0.0.1'], ipv6: [] } });
    server.asked.length = 0;
    expect(await client({ family: 'ipv6' }).host('app.test', null)).toEqual({ kind: 'missing' });
    expect(server.asked).toEqual(['AAAA app.test']);
  });

  test('are not waited for long when those of the other family are there and nothing was known', async () => {
    server.set('app.test', { A: ['10.0.0.1'] });
    server.fail('app.test', 'silent', 'AAAA');
    const answer = await client().host('app.test', null);
    expect(answer).toMatchObject({ kind: 'found', value: { ipv4: ['10.0.0.1'], ipv6: [] } });
  });

  test('that are too many for a datagram come by TCP', async () => {
    const many = Array.from({ length: 200 }, (_, index) => `10.0.1.${index}`);
    server.set('many.test', { A: many });
    const answer = await client({ family: 'ipv4' }).host('many.test', null);
    expect(answer.kind === 'found' && answer.value.ipv4).toEqual(many);
    expect(server.tcpAnswers).toBe(1);
  });

  test.each([
    ['nxdomain', { kind: 'missing' }],
    ['ok', { kind: 'missing' }],
    ['servfail', { kind: 'failed', cause: 'ESERVFAIL' }],
    ['refused', { kind: 'failed', cause: 'EREFUSED' }],
  ] as const)('with an answer %s are %o', async (behaviour, expected) => {
    server.fail('gone.test', behaviour);
    expect(await client().host('gone.test', null)).toEqual(expected);
  });

  test('that stand for nobody are none, though this machine could connect them', async () => {
    server.set('blocked.test', { A: ['0.0.0.0'], AAAA: ['::'] });
    expect(await client().host('blocked.test', null)).toEqual({ kind: 'missing' });
  });

  test('are given up after the timeout when nobody answers', async () => {
    server.fail('silent.test', 'silent');
    expect(await client({ timeoutMs: 200 }).host('silent.test', null)).toEqual({
      kind: 'failed',
      cause: 'ETIMEOUT',
    });
  });

  test('cannot be asked for when the server is gone, which is not to say that there are none', async () => {
    const asking = client();
    // Nobody has this port, and nobody gets it by asking for a free one.
    const answer = await client({ servers: ['127.0.0.1:1'], timeoutMs: 300 }).host('app.test', null);
    expect(answer.kind).toBe('failed');
    server.set('app.test', { A: ['10.0.0.1'] });
    expect((await asking.host('app.test', null)).kind).toBe('found');
  });

  test('of a family that cannot be asked for now are those of before', async () => {
    server.set('app.test', { A: ['10.0.0.2'] });
    const before = { ipv4: ['10.0.0.1'], ipv6: ['fd00::1'], fullName: 'app.test' };
    expect(await client().host('app.test', before)).toMatchObject({
      value: { ipv4: ['10.0.0.2'], ipv6: [] },
    });
    server.fail('app.test', 'servfail', 'AAAA');
    expect(await client().host('app.test', before)).toMatchObject({
      value: { ipv4: ['10.0.0.2'], ipv6: ['fd00::1'] },
    });
  });

  test('are those of /etc/hosts, where it has any, and DNS is not asked', async () => {
    const local = client({}, { hosts: '10.9.9.9 app.test\n' });
    expect(local.local('app.test')).toMatchObject({ kind: 'found', value: { ipv4: ['10.9.9.9'] } });
    expect(await local.host('APP.test', null)).toMatchObject({ value: { ipv4: ['10.9.9.9'] } });
    expect(server.asked).toEqual([]);
  });

  test('are looked for in the search domains, and then where they were found', async () => {
    server.set('app.shop.svc', { A: ['10.0.0.1'] });
    const local = client({ family: 'ipv4' }, { resolv: 'search a.svc shop.svc\noptions ndots:5\n' });
    const answer = await local.host('app', null);
    expect(answer).toMatchObject({ value: { fullName: 'app.shop.svc' } });
    expect(server.asked).toEqual(['A app.a.svc', 'A app.shop.svc']);
    server.asked.length = 0;
    await local.host('app', answer.kind === 'found' ? answer.value : null);
    expect(server.asked).toEqual(['A app.shop.svc']);
  });

  test('are not looked for further when a domain could not be asked: the next may have another app', async () => {
    server.fail('app.a.svc', 'servfail');
    server.set('app.shop.svc', { A: ['10.0.0.1'] });
    const local = client({ family: 'ipv4' }, { resolv: 'search a.svc shop.svc\n' });
    expect(await local.host('app', null)).toEqual({ kind: 'failed', cause: 'ESERVFAIL' });
  });
});

describe('the targets of a service', () => {
  test('are those of its SRV records with their addresses, by priority', async () => {
    server.set('_http._tcp.app.test', {
      SRV: [
        { priority: 20, weight: 1, port: 9000, target: 'b.test' },
        { priority: 10, weight: 60, port: 8080, target: 'A.test' },
      ],
    });
    server.set('a.test', { A: ['10.0.0.1'] }, 30);
    server.set('b.test', { A: ['10.0.0.2'] }, 5);
    const answer = await client().service('_http._tcp.app.test', null);
    expect(answer).toMatchObject({
      kind: 'found',
      ttlMs: 5000,
      value: [
        { host: 'a.test', port: 8080, priority: 10, weight: 60, addresses: { ipv4: ['10.0.0.1'] } },
        { host: 'b.test', port: 9000, priority: 20, weight: 1, addresses: { ipv4: ['10.0.0.2'] } },
      ],
    });
  });

  test('whose target cannot be asked for now keeps its addresses, one that does not exist is left out', async () => {
    const targets = ['a.test', 'b.test', 'c.test'].map((target) => ({ port: 80, target }));
    server.set('_http._tcp.app.test', { SRV: targets });
    for (const [index, { target }] of targets.entries()) server.set(target, { A: [`10.0.0.${index}`] });
    const asking = client();
    const before = await asking.service('_http._tcp.app.test', null);
    server.fail('b.test', 'servfail');
    server.fail('c.test', 'nxdomain');
    const answer = await asking.service('_http._tcp.app.test', before.kind === 'found' ? before.value : null);
    expect(
      answer.kind === 'found' && answer.value.map(({ host, addresses }) => [host, ...addresses.ipv4]),
    ).toEqual([
      ['a.test', '10.0.0.0'],
      ['b.test', '10.0.0.1'],
    ]);
  });

  test('do not exist when the record says that the service is not available', async () => {
    server.set('_http._tcp.app.test', { SRV: [{ port: 0, target: '' }] });
    expect(await client().service('_http._tcp.app.test', null)).toEqual({ kind: 'missing' });
  });
});
