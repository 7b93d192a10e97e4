/** Targeting over real sockets: nested rules, segments, addresses and the path, and what a cache is told. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { fixedUpstream, RawClient } from '../support/peers.ts';
import { startPlane } from '../support/plane.ts';
import { signerOf } from '../support/tokens.ts';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A plane whose experiment sends everybody it takes to the candidate; what it answers to this request. */
async function service(targeting: string, segments = '{}', more = '') {
  const control = await fixedUpstream('HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\ncontrol');
  const candidate = await fixedUpstream('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncandidate');
  const plane = await startPlane(`
version: 1
requireMetadata: false
listeners: [{ name: inbound, address: "127.0.0.1:0" }]
upstreams: { v1: { endpoints: ["${control.endpoint}"] }, v2: { endpoints: ["${candidate.endpoint}"] } }
routes: [{ name: users, match: { path: "/users/{id}" }, upstream: v1, experiments: [ranking] }]
segments: ${segments}
experiments:
  ranking:
    targeting: ${targeting}
    variants: { control: { weight: 0% }, candidate: { weight: 100%, upstream: v2 } }
${more}
`);
  const client = new RawClient(plane.port);
  closers.push(
    () => control.close(),
    () => candidate.close(),
    () => plane.close(),
    () => client.close(),
  );
  return async (fields: string, path = '/users/7') => {
    client.send(`GET ${path} HTTP/1.1\r\nHost: shop\r\nx-user-id: u-1\r\n${fields}\r\n`);
    const response = await client.response();
    return { vary: /^vary: (.*)$/im.exec(response)?.[1] ?? '', body: response.split('\r\n\r\n')[1] };
  };
}

it('asks rules of rules, down to the last', async () => {
  const ask = await service(
    '[{ any: [{ all: [{ header: x-app, semver: ">=2.1.0" }, { header: x-os, equals: ios, ignoreCase: true }] }, { cookie: staff, exists: true }] }]',
  );
  expect((await ask('x-app: 2.3.0\r\nx-os: iOS\r\n')).body).toBe('candidate');
  expect((await ask('x-app: 2.0.9\r\nx-os: iOS\r\n')).body).toBe('control');
  expect((await ask('x-app: 2.3.0\r\n')).body).toBe('control');
  expect((await ask('Cookie: a=b; staff=\r\n')).body).toBe('candidate');
  const { vary } = await ask('');
  expect(vary.split(', ')).toEqual(expect.arrayContaining(['x-app', 'x-os', 'cookie']));
});

it('knows who is in a segment, by ids and by rules', async () => {
  const ask = await service(
    '[{ segment: eu }, { header: x-account, segment: beta }, { header: x-bot, exists: false }]',
    '{ eu: { rules: [{ header: x-country, in: [DE, FR] }] }, beta: { values: [a-1, müller] } }',
  );
  const umlaut = Buffer.from('müller').toString('latin1');
  expect((await ask('x-country: FR\r\nx-account: a-1\r\n')).body).toBe('candidate');
  expect((await ask(`x-country: DE\r\nx-account: ${umlaut}\r\n`)).body).toBe('candidate');
  expect((await ask('x-country: US\r\nx-account: a-1\r\n')).body).toBe('control');
  expect((await ask('x-country: FR\r\nx-account: a-2\r\n')).body).toBe('control');
  expect((await ask('x-country: FR\r\nx-account: a-1\r\nx-bot: 1\r\n')).body).toBe('control');
  expect((await ask('')).vary.split(', ')).toEqual(
    expect.arrayContaining(['x-country', 'x-account', 'x-bot']),
  );
});

it("looks at the client's address and at the path", async () => {
  const ask = await service(
    '[{ clientAddress: true, cidr: [127.0.0.0/8] }, { pathParameter: id, between: [1, 9] }]',
  );
  expect((await ask('', '/users/9')).body).toBe('candidate');
  expect((await ask('', '/users/10')).body).toBe('control');
  expect((await ask('', '/users/nine')).body).toBe('control');
  const elsewhere = await service('[{ clientAddress: true, cidr: [10.0.0.0/8], not: true }]');
  expect((await elsewhere('')).body).toBe('candidate');
});

it('believes the claims of a token that is verified, and no other', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-targeting-'));
  closers.push(() => rmSync(folder, { recursive: true }));
  const [shop, other] = [signerOf('HS256', 'k'), signerOf('HS256', 'k')];
  writeFileSync(join(folder, 'secret'), shop.text);
  const ask = await service(
    '[{ any: [{ claim: /groups/0, segment: staff }, { claim: /age, gte: 18 }] }]',
    '{ staff: { values: [support] } }',
    `identity: { jwt: { keys: [{ id: k, algorithm: HS256, secretFile: ${join(folder, 'secret')} }] } }`,
  );
  const exp = Date.now() / 1000 + 60;
  const bearer = (token: string) => `Authorization: Bearer ${token}\r\n`;
  expect((await ask(bearer(await shop.sign({ groups: ['support'], exp })))).body).toBe('candidate');
  expect((await ask(bearer(await shop.sign({ groups: ['sales'], age: 40, exp })))).body).toBe('candidate');
  expect((await ask(bearer(await shop.sign({ groups: ['sales'], age: 17, exp })))).body).toBe('control');
  expect((await ask(bearer(await other.sign({ groups: ['support'], age: 40, exp })))).body).toBe('control');
  const { body, vary } = await ask('');
  expect([body, vary.split(', ').includes('authorization')]).toEqual(['control', true]);
});
