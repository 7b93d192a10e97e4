/** Signed contexts and overrides over real sockets: what is vouched for is believed, and nothing else. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { signToken, type TokenClaims } from '../../src/propagation/token.ts';
import { type TokenKey, tokenKey, unitHash } from '../../src/propagation/token-key.ts';
import { field } from '../support/message.ts';
import type { TestPlane } from '../support/plane.ts';
import { answer, configOf, get, ok, type Received, type Upstream, useRig } from '../support/rig.ts';

const rig = useRig();
const SECRETS = { k1: 'first-secret-of-thirty-two-bytes-', k2: 'second-secret-of-thirty-two-bytes' };
let folder: string;
let k1: TokenKey;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-tokens-'));
  for (const [id, secret] of Object.entries(SECRETS)) writeFileSync(join(folder, id), secret);
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  writeFileSync(join(folder, 'ed.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(join(folder, 'ed.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  k1 = tokenKey('k1', { kind: 'secret', text: SECRETS.k1 });
});
afterAll(() => rmSync(folder, { recursive: true }));

const secret = (id: string) => ({ id, secretFile: join(folder, id) });
const keys = (...ids: string[]) => ({ keys: ids.map(secret) });
const everyone = (variant: string, ...others: string[]) => ({
  variants: Object.fromEntries(
    [variant, ...others].map((name, at) => [name, { weight: at === 0 ? '100%' : '0%' }]),
  ),
  fallback: 'control',
});

/** Signs what it decides: everybody gets the candidate. */
const SIGNING = {
  experiments: { ranking: everyone('candidate', 'control') },
  routes: [{ name: 'all', upstream: 'app', experiments: ['ranking'] }],
  propagation: { sign: true },
};
/** Believes what is signed; by itself, everybody gets the control. */
const BELIEVING = {
  service: 'prices',
  listeners: [{ name: 'inbound', address: '127.0.0.1:0', trust: { context: 'token' } }],
  experiments: { ranking: everyone('control', 'candidate') },
  routes: [
    { name: 'plain', match: { path: '/plain' }, upstream: 'app' },
    { name: 'all', upstream: 'app', experiments: ['ranking'] },
  ],
};

async function service(
  settings: object,
  clock: Clock = systemClock,
): Promise<{ plane: TestPlane; upstream: Upstream }> {
  const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
  const plane = await rig.plane([upstream.endpoint], { tokens: keys('k1'), ...settings }, clock);
  return { upstream, plane };
}

async function send(
  { plane, upstream }: { plane: TestPlane; upstream: Upstream },
  fields: string,
  target = '/',
): Promise<Received> {
  const n = upstream.requests.length;
  const client = rig.client(plane.port);
  expect((await answer(client.send(get(target, fields)))).status).toBe(200);
  client.close();
  return upstream.request(n);
}

const count = ({ plane }: { plane: TestPlane }, result: string, purpose = 'context') =>
  plane.plane.metrics.trust.tokens('inbound', purpose, result).value;

/** Of one second, so that the same claims are the same token throughout. */
const nowS = Math.floor(Date.now() / 1000);

function token(change: Partial<TokenClaims> = {}, key: TokenKey = k1): string {
  const entries = [{ experiment: 'ranking', variant: 'candidate', epoch: 1, unit: '' }];
  const claims = { purpose: 'context', audience: '*', issuedS: nowS, expiresS: nowS + 600, entries } as const;
  return signToken({ ...claims, ...change }, key)!;
}

describe('two sidecars, of which the second believes what is signed', () => {
  it.each([
    ['HMAC-SHA-256', () => keys('k1'), () => keys('k1')],
    [
      'Ed25519, the second with the public key only',
      () => ({ keys: [{ id: 'ed', privateKeyFile: join(folder, 'ed.key') }] }),
      () => ({ keys: [{ id: 'ed', publicKeyFile: join(folder, 'ed.pub') }] }),
    ],
  ])('give a user the same variant: %s', async (_, first, second) => {
    const b = await service({ ...BELIEVING, tokens: second() });
    const a = await rig.plane([`127.0.0.1:${b.plane.port}`], { ...SIGNING, tokens: first() });
    for (const user of ['u-1', 'u-2', 'u-1']) {
      const request = await send({ plane: a, upstream: b.upstream }, `x-user-id: ${user}\r\n`);
      expect(field(request, 'x-experiment')).toBe('ranking=candidate');
      expect(field(request, 'baggage')).toBe('fairlead.ranking=candidate');
    }
    expect(count(b, 'accepted')).toBe(3);
    expect(b.plane.plane.metrics.trust.untrusted('inbound', 'header').value).toBe(0);
    expect(a.plane.metrics.trust.signed('inbound', 'signed').value).toBe(3);
  });

  it('sign the same for the same user, and hide who the user is', async () => {
    // Each quarter of their life they are dated anew.
    const a = await service(SIGNING, { now: () => systemClock.now(), wallMs: () => nowS * 1000 });
    const signed = async (user: string) =>
      field(await send(a, `x-user-id: ${user}\r\n`), 'x-experiment-token')!;
    const first = await signed('user-17');
    expect(await signed('user-17')).toBe(first);
    expect(await signed('user-18')).not.toBe(first);
    const claims = Buffer.from(first.split('.')[2]!, 'base64url').toString();
    expect(claims).toContain('"ranking","candidate"');
    expect(claims).not.toContain('user-17');
  });

  it('keep the variant of a user to the user: for another one it is ignored, counted and stripped', async () => {
    const [a, b] = [await service(SIGNING), await service(BELIEVING)];
    const captured = field(await send(a, 'x-user-id: u-1\r\n'), 'x-experiment-token')!;
    const replayed = await send(b, `x-user-id: u-2\r\nx-experiment-token: ${captured}\r\n`);
    expect(field(replayed, 'x-experiment')).toBe('ranking=control');
    expect(field(replayed, 'x-experiment-token')).toBeNull();
    expect(count(b, 'unit')).toBe(1);
    const own = await send(b, `x-user-id: u-1\r\nx-experiment-token: ${captured}\r\n`);
    expect(field(own, 'x-experiment')).toBe('ranking=candidate');
    expect(field(own, 'x-experiment-token')).toBe(captured);
  });

  it('pass on through one in between what that one does not decide, still for its unit', async () => {
    const end = await service(BELIEVING);
    const middle = await rig.plane([`127.0.0.1:${end.plane.port}`], {
      tokens: keys('k1'),
      listeners: [{ name: 'inbound', address: '127.0.0.1:0', trust: { context: 'token' } }],
      experiments: { other: everyone('b', 'control') },
      routes: [{ name: 'all', upstream: 'app', experiments: ['other'] }],
      propagation: { sign: true },
    });
    const entries = [
      { experiment: 'ranking', variant: 'candidate', epoch: 1, unit: unitHash(k1, 'u-1') },
      { experiment: 'other', variant: 'control', epoch: 1, unit: '' },
    ];
    const through = { plane: middle, upstream: end.upstream };
    const first = await send(through, `x-user-id: u-1\r\nx-experiment-token: ${token({ entries })}\r\n`);
    expect(field(first, 'x-experiment')).toBe('other=control, ranking=candidate');
    const [kept, own, ...rest] = field(first, 'x-experiment-token')!.split(', ');
    expect(kept).toBe(token({ entries }));
    expect(Buffer.from(own!.split('.')[2]!, 'base64url').toString()).toContain('[["other","control",1,');
    expect(rest).toEqual([]);
  });

  it('are joined by a route without experiments: what goes on is what is vouched for', async () => {
    const b = await service(BELIEVING);
    const fields = `x-experiment: ranking=forged, more=1\r\nx-experiment-token: ${token()}\r\n`;
    const request = await send(b, fields, '/plain');
    expect(field(request, 'x-experiment')).toBe('ranking=candidate');
    expect(field(request, 'x-experiment-token')).toBe(token());
    expect(b.plane.plane.metrics.trust.untrusted('inbound', 'header').value).toBe(1);
  });
});

describe('a token is ignored, counted and stripped when it', () => {
  it.each<[string, string, () => string]>([
    ['is forged', 'bad-signature', () => token({}, tokenKey('k1', { kind: 'secret', text: SECRETS.k2 }))],
    ['has expired', 'expired', () => token({ issuedS: nowS - 7200, expiresS: nowS - 3600 })],
    ['is from the future', 'not-yet', () => token({ issuedS: nowS + 3600, expiresS: nowS + 7200 })],
    ['is for another service', 'wrong-audience', () => token({ audience: 'checkout' })],
    ['is an override', 'wrong-purpose', () => token({ purpose: 'override' })],
    [
      'has an unknown key',
      'unknown-key',
      () => token({}, tokenKey('k9', { kind: 'secret', text: SECRETS.k1 })),
    ],
    ['is none', 'malformed', () => 'fl1.k1.e30'],
    ['is cut', 'bad-signature', () => token().slice(0, -1)],
    ['is too large', 'too-large', () => `fl1.k1.${'A'.repeat(4096)}.A`],
  ])('%s', async (_, reason, make) => {
    const b = await service(BELIEVING);
    const request = await send(
      b,
      `x-user-id: u-1\r\nx-experiment: ranking=candidate\r\nx-experiment-token: ${make()}\r\n`,
    );
    expect(field(request, 'x-experiment')).toBe('ranking=control');
    expect(field(request, 'x-experiment-token')).toBeNull();
    expect(count(b, reason)).toBe(1);
    expect(count(b, 'accepted')).toBe(0);
  });

  it('is one of too many', async () => {
    const b = await service(BELIEVING);
    const five = Array.from({ length: 5 }, () => token()).join(', ');
    const request = await send(b, `x-experiment-token: ${five}\r\n`);
    expect(field(request, 'x-experiment-token')).toBe(five.split(', ').slice(0, 4).join(', '));
  });

  it('is the twenty-first bad one on a connection in a second, whatever it is, while good ones go on', async () => {
    const b = await service(BELIEVING);
    const client = rig.client(b.plane.port);
    await answer(client.send(get('/', `x-experiment-token: ${token()}\r\n`)));
    for (let n = 0; n < 30; n++)
      client.send(get('/', `x-experiment-token: fl1.k1.AAAA.${'A'.repeat(41)}${10 + n}\r\n`));
    for (let n = 0; n < 30; n++) await answer(client);
    expect(count(b, 'bad-signature')).toBeGreaterThanOrEqual(20);
    expect(count(b, 'bad-signature') + count(b, 'throttled')).toBe(30);
    await answer(client.send(get('/', `x-experiment-token: ${token()}\r\n`)));
    expect(count(b, 'accepted')).toBe(2);
  });
});

describe('rotation', () => {
  it('drops no session: the new key is added, signs, and then the old one goes, on one connection', async () => {
    const upstream = await rig.upstream(({ socket }) => socket.write(ok()));
    const settings = (...ids: string[]) => ({ ...BELIEVING, tokens: keys(...ids) });
    const plane = await rig.plane([upstream.endpoint], settings('k1'));
    const client = rig.client(plane.port);
    const k2 = tokenKey('k2', { kind: 'secret', text: SECRETS.k2 });
    const variantBy = async (key: TokenKey) => {
      const n = upstream.requests.length;
      await answer(client.send(get('/', `x-user-id: u\r\nx-experiment-token: ${token({}, key)}\r\n`)));
      return field(await upstream.request(n), 'x-experiment');
    };
    expect([await variantBy(k1), await variantBy(k2)]).toEqual(['ranking=candidate', 'ranking=control']);
    plane.reload(configOf([upstream.endpoint], settings('k1', 'k2')));
    expect([await variantBy(k1), await variantBy(k2)]).toEqual(['ranking=candidate', 'ranking=candidate']);
    plane.reload(configOf([upstream.endpoint], settings('k2', 'k1')));
    expect([await variantBy(k1), await variantBy(k2)]).toEqual(['ranking=candidate', 'ranking=candidate']);
    plane.reload(configOf([upstream.endpoint], settings('k2')));
    expect([await variantBy(k1), await variantBy(k2)]).toEqual(['ranking=control', 'ranking=candidate']);
  });
});

describe('an override', () => {
  const GUARDED = {
    ...BELIEVING,
    listeners: [{ name: 'inbound', address: '127.0.0.1:0', trust: { context: 'none', overrides: 'token' } }],
  };
  const override = (change: Partial<TokenClaims> = {}) => token({ purpose: 'override', ...change });
  const forUser = (unit: string) =>
    override({
      entries: [{ experiment: 'ranking', variant: 'candidate', epoch: 0, unit: unitHash(k1, unit) }],
    });

  it('that is signed is believed as header and as cookie, where unsigned ones are not', async () => {
    const b = await service(GUARDED);
    const own = override();
    const byHeader = await send(b, `x-experiment-override: ${own}\r\n`);
    expect(field(byHeader, 'x-experiment')).toBe('ranking=candidate');
    expect(field(byHeader, 'x-experiment-override')).toBe(own);
    expect(field(await send(b, `cookie: a=1; fairlead_override=${own}\r\n`), 'x-experiment')).toBe(
      'ranking=candidate',
    );
    const unsigned = await send(
      b,
      'x-user-id: u\r\nx-experiment-override: always\r\ncookie: fairlead_override=always\r\n',
    );
    expect(field(unsigned, 'x-experiment')).toBe('ranking=control');
    expect(field(unsigned, 'x-experiment-override')).toBeNull();
    expect(field(unsigned, 'cookie')).toBeNull();
    expect(count(b, 'accepted', 'override')).toBe(2);
  });

  it('that is believed lets its sender ask for the reason, which strangers may not', async () => {
    const b = await service(GUARDED);
    const reason = async (fields: string) => {
      const client = rig.client(b.plane.port);
      const response = await answer(
        client.send(get('/', `x-user-id: u\r\nx-experiment-explain: 1\r\n${fields}`)),
      );
      return field(response, 'x-experiment-reason');
    };
    expect(await reason(`x-experiment-override: ${override()}\r\n`)).toContain('override');
    expect(await reason('x-experiment-override: always\r\n')).toBeNull();
    expect(b.plane.plane.metrics.trust.untrusted('inbound', 'explain').value).toBe(1);
  });

  it('for one unit is for no other, and not for a request without one', async () => {
    const b = await service(GUARDED);
    const variant = async (fields: string) =>
      field(await send(b, `${fields}x-experiment-override: ${forUser('u-1')}\r\n`), 'x-experiment');
    expect(await variant('x-user-id: u-1\r\n')).toBe('ranking=candidate');
    expect(await variant('x-user-id: u-2\r\n')).toBe('ranking=control');
    expect(await variant('')).toBeNull();
    expect(count(b, 'unit', 'override')).toBe(2);
  });

  it('that is no override but a captured context is refused, and its cookie stripped', async () => {
    const b = await service(GUARDED);
    const request = await send(b, `x-user-id: u\r\ncookie: fairlead_override=${token()}; a=1\r\n`);
    expect(field(request, 'x-experiment')).toBe('ranking=control');
    expect(field(request, 'cookie')).toBe('a=1');
    expect(count(b, 'wrong-purpose', 'override')).toBe(1);
  });

  it('is refused signed as well where nobody may override', async () => {
    const listeners = [{ name: 'inbound', address: '127.0.0.1:0', trust: { context: 'none' } }];
    const b = await service({ ...BELIEVING, listeners });
    const request = await send(b, `x-user-id: u\r\nx-experiment-override: ${override()}\r\n`);
    expect(field(request, 'x-experiment')).toBe('ranking=control');
    expect(b.plane.plane.metrics.trust.untrusted('inbound', 'override').value).toBe(1);
  });
});
